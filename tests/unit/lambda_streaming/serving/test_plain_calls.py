"""Handlers called in plain Python, as tests and wrappers do."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

import lambda_streaming
from lambda_streaming import EventStream, Request, Response, StreamingResponse, asgi, streaming
from lambda_streaming.bridge.lifespan import LifespanError
from lambda_streaming.bridge.types import Receive, Scope, Send
from lambda_streaming.handlers import AppHandler
from lambda_streaming.responses import Write
from lambda_streaming.serving.answering import ErrorStatus
from lambda_streaming.serving.other_events import UnhandledEventError
from tests.fakes.asgi import block, start
from tests.fakes.events import alb_event, function_url_event, http_api_event, rest_api_event
from tests.fakes.virtual_time import run_in_real_time

HEALTH = {"httpMethod": "GET", "path": "/health", "headers": {}}
SQS = {"Records": [{"eventSource": "aws:sqs", "body": "one"}]}


class Counting:
    """An app with a lifespan, which answers with how often it has started."""

    def __init__(self) -> None:
        self.starts = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["type"] == "lifespan":
            self.starts += 1
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send(start(200, (b"content-type", b"text/plain")))
            await send(block(b"%d" % self.starts))


def answered(handler: AppHandler, event: Mapping[str, Any], context: object = None) -> Any:
    """What a client reads from the answer."""
    answer = handler(event, context)
    body = answer["body"]
    is_json = answer["headers"].get("content-type") == "application/json"
    return answer["statusCode"], json.loads(body) if is_json else body


def test_an_app_starts_once_for_all_calls_from_everywhere() -> None:
    handler = asgi(Counting())

    async def while_a_loop_runs() -> Any:
        return answered(handler, HEALTH)

    results = [answered(handler, HEALTH), run_in_real_time(while_a_loop_runs())]
    threads = [
        threading.Thread(target=lambda: results.append(answered(handler, HEALTH))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [(200, "1")] * 10


@pytest.mark.parametrize(
    "event",
    [
        function_url_event("GET", "/"),
        rest_api_event("GET", "/"),
        http_api_event("GET", "/"),
        alb_event("GET", "/"),
        HEALTH,
        {"version": "2.0", "requestContext": {"http": {"method": "GET"}}},
    ],
    ids=["function_url", "rest_api", "http_api", "alb", "1.0 by hand", "2.0 by hand"],
)
def test_every_front_doors_event_is_answered(event: dict[str, Any]) -> None:
    assert answered(streaming(lambda request: {"method": request.method}), event) == (
        200,
        {"method": "GET"},
    )


def test_a_streamed_body_is_collected_and_its_work_after_the_answer_is_done() -> None:
    done: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, (b"content-type", b"text/plain")))
        await send(block(b"one ", True))
        await send(block(b"two"))
        await asyncio.sleep(0)
        done.append("background")

    assert answered(asgi(app, lifespan="off"), HEALTH) == (200, "one two")
    assert done == ["background"]


@pytest.mark.parametrize("is_streamed", [True, False])
def test_work_after_the_answer_that_fails_is_logged_and_the_answer_stays(
    is_streamed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(write: Write) -> None:
        await write("all")
        await write.end()
        raise LookupError("in the background")

    async def finish(outcome: object, error: BaseException | None) -> None:
        raise error or LookupError("in the background")

    def answer(request: Request) -> Any:
        text = {"content-type": "text/plain"}
        if is_streamed:
            return StreamingResponse(body, headers=text, finish=finish)
        return Response("all", headers=text, finish=finish)

    assert answered(streaming(answer), HEALTH) == (200, "all")
    assert "finish failed" in caplog.text
    assert "in the background" in caplog.text


def test_an_event_stream_is_collected_too() -> None:
    _, body = answered(streaming(lambda request: EventStream(["one"])), HEALTH)

    assert body.endswith("data: one\n\n")


class WithoutDeadline:
    """As in the tests of apps that were never asked for it."""

    aws_request_id = None

    def get_remaining_time_in_millis(self) -> int:
        raise NotImplementedError


@pytest.mark.parametrize(
    "context",
    [None, object(), MagicMock(aws_request_id=None), WithoutDeadline()],
    ids=["none", "object", "mock", "unfinished"],
)
def test_any_context_will_do(context: object) -> None:
    def refuse(request: Request) -> Any:
        return request.json()

    assert answered(asgi(Counting()), HEALTH, context) == (200, "1")
    assert answered(streaming(refuse), HEALTH, context) == (
        400,
        {"error": {"code": "invalid_json", "message": "the body is not JSON", "request_id": None}},
    )


class WithTimeLeft:
    """The managed runtime's context, which knows no deadline but how much time is left."""

    aws_request_id = "request-1"

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends_at - time.monotonic()) * 1000)


@pytest.mark.parametrize("kind", ["asgi", "streaming"])
def test_an_answer_ends_before_the_deadline_of_the_managed_runtimes_context(kind: str) -> None:
    """Lambda would kill the function, and whoever asks would learn nothing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(3600)

    async def endless() -> Any:
        while True:
            yield "x"
            await asyncio.sleep(3600)

    handler = (
        asgi(app, lifespan="off")
        if kind == "asgi"
        else streaming(lambda request: StreamingResponse(endless()))
    )

    status, document = answered(handler, HEALTH, WithTimeLeft(0.2))

    assert status == 504
    assert document["error"]["code"] == "deadline"


class Teapot(Response):
    def __init__(self, text: str) -> None:
        super().__init__(text, 418)


class Words(StreamingResponse):
    def __init__(self, *words: str) -> None:
        super().__init__(words, headers={"content-type": "text/plain"})


@pytest.mark.parametrize("answer", [Teapot("tea"), Words("te", "a")])
def test_an_apps_own_kind_of_answer_may_be_made_from_other_arguments(answer: Any) -> None:
    assert answered(streaming(lambda request: answer), HEALTH, WithTimeLeft(60)) == (
        answer.status,
        "tea",
    )


def test_an_exception_is_a_500_and_the_next_call_is_answered() -> None:
    async def fail(request: Request) -> str:
        if request.path == "/health":
            raise LookupError("no such thing")
        return "fine"

    handler = streaming(fail)

    assert answered(handler, HEALTH) == (500, "Internal Server Error")
    assert answered(handler, HEALTH | {"path": "/"}) == (200, "fine")


def test_an_app_that_cannot_start_says_so_at_each_call() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    handler = asgi(app)

    for _ in range(2):
        with pytest.raises(LifespanError, match="no database"):
            handler(HEALTH)


# Events that cannot be answered


@pytest.mark.parametrize("event", [{}, {"job": 7}, {"httpMethod": 7}, {"Records": []}])
def test_an_event_of_no_shape_is_answered_with_400(event: dict[str, Any]) -> None:
    status, document = answered(asgi(Counting()), event)

    assert status == 400
    assert list(document) == ["error"]
    assert "no HTTP request" in document["error"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"body": 7}, "invalid_body"),
        ({"body": "*", "isBase64Encoded": True}, "invalid_body"),
        ({"headers": 7}, "invalid_event"),
        ({"path": 7}, "invalid_event"),
    ],
)
def test_a_request_whose_parts_cannot_be_read_is_answered_with_400(
    change: dict[str, Any], code: str
) -> None:
    status, document = answered(asgi(Counting()), HEALTH | change)

    assert (status, document["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    ("event", "word"),
    [
        ({"requestContext": {"connectionId": "c", "routeKey": "$default"}}, "WebSocket"),
        ({"Records": [{"cf": {"request": {}}}]}, "Lambda@Edge"),
    ],
)
def test_front_doors_without_a_streaming_answer_are_refused_with_the_reason(
    event: dict[str, Any], word: str
) -> None:
    status, document = answered(asgi(Counting()), event)

    assert status == 501
    assert word in document["error"]


@pytest.mark.parametrize("event", [None, b"{}", "{}", [], 7])
def test_what_is_no_mapping_is_no_event(event: Any) -> None:
    with pytest.raises(TypeError, match="an event is a mapping"):
        asgi(Counting())(event)


# events=


async def in_a_coroutine(event: dict[str, Any], context: object) -> Any:
    return {"batch": len(event["Records"])}


def in_a_thread(event: dict[str, Any], context: object) -> Any:
    return {"batch": len(event["Records"])}


@pytest.mark.parametrize(
    "events",
    [
        in_a_thread,
        in_a_coroutine,
        lambda event, context: in_a_coroutine(event, context),
        {"aws:sqs": in_a_thread},
        {"aws:s3": in_a_coroutine, "*": in_a_thread},
    ],
    ids=["function", "coroutine", "returns a coroutine", "by source", "the rest"],
)
def test_other_events_get_what_their_handler_returns(events: Any) -> None:
    assert asgi(Counting(), events=events)(SQS) == {"batch": 1}


@pytest.mark.parametrize("events", [None, {"aws:s3": in_a_thread}])
def test_an_event_that_nobody_takes_fails_and_names_its_source(events: Any) -> None:
    """An answer would acknowledge the batch."""
    with pytest.raises(UnhandledEventError, match=r'aws:sqs.*events=\{"aws:sqs": function\}'):
        asgi(Counting(), events=events)(SQS)


def test_what_a_handler_of_events_raises_fails_the_invocation() -> None:
    def fail(event: dict[str, Any], context: object) -> None:
        raise OSError("no database")

    with pytest.raises(OSError, match="no database"):
        asgi(Counting(), events=fail)(SQS)


def test_an_event_of_no_known_source_goes_to_the_handler_of_the_rest() -> None:
    assert asgi(Counting(), events={"*": lambda event, _: event})({"job": 7}) == {"job": 7}


def test_an_event_of_no_known_source_can_have_a_handler_that_no_queue_has() -> None:
    handler = asgi(Counting(), events={"unknown": lambda event, _: event})

    assert handler({"job": 7}) == {"job": 7}
    with pytest.raises(UnhandledEventError, match="aws:sqs"):
        handler(SQS)


def test_an_event_of_no_known_source_is_refused_where_only_others_have_handlers() -> None:
    assert asgi(Counting(), events={"aws:sqs": in_a_thread})({"job": 7})["statusCode"] == 400


@pytest.mark.parametrize("events", [7, "handler", {"aws:sqs": 7}, Counting, [in_a_thread]])
def test_what_can_handle_no_event_is_refused_where_it_is_written(events: Any) -> None:
    with pytest.raises(TypeError, match="events="):
        asgi(Counting(), events=events)


# Statuses that fail the invocation


@pytest.mark.parametrize("is_streamed", [True, False])
def test_an_error_status_fails_the_invocation_with_the_work_after_it_done(
    is_streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMING_ERROR_STATUS", "500-599, 403")
    finished: list[str] = []

    async def finish(outcome: object, error: BaseException | None) -> None:
        finished.append(str(error))

    async def blocks() -> Any:
        yield b"x"

    def answer(request: Request) -> Any:
        status = int(request.path.removeprefix("/"))
        if is_streamed:
            return StreamingResponse(blocks(), status, finish=finish)
        return Response("x", status, finish=finish)

    handler = streaming(answer)

    assert handler(HEALTH | {"path": "/404"})["statusCode"] == 404
    for status in (403, 500, 599):
        with pytest.raises(ErrorStatus, match=f"the app answered {status}"):
            handler(HEALTH | {"path": f"/{status}"})
    assert len(finished) == 4


# The process


def ran(folder: Path, program: str) -> tuple[int, str, str]:
    (folder / "main.py").write_text(program)
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "dev",
            "-W",
            "error",
            "-W",
            "ignore:This process:DeprecationWarning",
            "main.py",
        ],
        cwd=folder,
        env={"PYTHONPATH": str(Path(lambda_streaming.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stdout, done.stderr


SHUTTING_DOWN = f"""
import asyncio, os, sys
from lambda_streaming import asgi
async def app(scope, receive, send):
    await receive()
    if scope["type"] == "lifespan":
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        await asyncio.to_thread(print, "shut down", flush=True)
        await send({{"type": "lifespan.shutdown.complete"}})
    else:
        await send({{"type": "http.response.start", "status": 200}})
        await send({{"type": "http.response.body"}})
handler = asgi(app)
print(handler({HEALTH!r})["statusCode"], flush=True)
"""


def test_an_app_shuts_down_with_the_process_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """It may use threads for it."""
    assert ran(tmp_path, SHUTTING_DOWN) == (0, "200\nshut down\n", "")


LEAVING_A_TASK = f"""
import asyncio
from lambda_streaming import streaming
async def watch():
    try:
        await asyncio.sleep(3600)
    finally:
        print("cancelled", flush=True)
async def answer(request):
    answer.task = asyncio.create_task(watch())
    await asyncio.sleep(0)
    return "answered"
handler = streaming(answer)
print(handler({HEALTH!r})["statusCode"], flush=True)
"""


def test_what_an_app_leaves_running_is_cancelled_when_the_process_ends(tmp_path: Path) -> None:
    """As asyncio.run does: sse-starlette's watcher for shutdowns runs for ever."""
    assert ran(tmp_path, LEAVING_A_TASK) == (0, "200\ncancelled\n", "")


FORKING = f"""
if os.fork() == 0:
    print(handler({HEALTH!r})["statusCode"], "in the child", flush=True)
    sys.exit()
os.wait()
if os.fork() == 0:
    sys.exit()
os.wait()
"""


def test_an_app_starts_anew_in_a_forked_process(tmp_path: Path) -> None:
    assert ran(tmp_path, SHUTTING_DOWN + FORKING) == (
        0,
        "200\n200 in the child\nshut down\nshut down\n",
        "",
    )


def test_a_handler_that_its_own_app_calls_is_refused_where_it_would_wait_for_itself() -> None:
    async def calling(request: Request) -> Any:
        if request.path == "/inner":
            return "inner"
        inner = HEALTH | {"path": "/inner"}
        with pytest.raises(RuntimeError, match=r"wait for itself.*asyncio\.to_thread"):
            handler(inner)
        return (await asyncio.to_thread(handler, inner))["body"]

    handler = streaming(calling)

    assert answered(handler, HEALTH) == (200, '"inner"')


def test_a_handler_that_its_own_app_calls_while_it_is_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "calls_itself_while_it_is_imported"
    (tmp_path / f"{module}.py").write_text("handlers[0]({'httpMethod': 'GET', 'path': '/'})")
    monkeypatch.syspath_prepend(tmp_path)
    handler = asgi(f"{module}:app")
    monkeypatch.setattr("builtins.handlers", [handler], raising=False)

    with pytest.raises(RuntimeError, match="only starting"):
        handler(HEALTH)


def test_no_query_and_no_header_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    event = function_url_event("GET", "/", "token=secret", {"authorization": "secret"})

    asgi(Counting())(event)

    assert "secret" not in caplog.text
