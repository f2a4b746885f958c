"""The line of each request: one, whatever becomes of it, and what was really sent."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from lambda_streaming.functions.app import FunctionApp, StreamLimits
from lambda_streaming.requests import Request
from lambda_streaming.responses import Response, StreamingResponse, StreamOutcome
from lambda_streaming.serving.answering import Answering, ErrorStatus
from lambda_streaming.serving.closing import Closing
from lambda_streaming.serving.recording.access_log import LOGGER, AccessLog
from lambda_streaming.serving.settings import AppSettings
from tests.fakes.asgi import FakeContext
from tests.fakes.events import as_bytes, function_url_event, http_api_event

both_ways = pytest.mark.parametrize("make_event", [function_url_event, http_api_event])


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.all: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(json.loads(record.getMessage()))

    @property
    def only(self) -> dict[str, Any]:
        (line,) = self.all
        return line


@pytest.fixture
def lines() -> Iterator[Lines]:
    lines, log = Lines(), logging.getLogger(LOGGER)
    level_before = log.level
    log.setLevel(logging.NOTSET)
    log.addHandler(lines)
    yield lines
    log.removeHandler(lines)
    log.setLevel(level_before)


class Table:
    def leave(self, stream_id: str) -> None: ...

    def is_left(self, stream_id: str) -> bool:
        return False


class Broken:
    """An app that raises, as one does that is cancelled."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def stream(self, request: Request) -> Response:
        raise self._error

    async def buffer(self, request: Request, *, limit_bytes: int) -> Response:
        raise self._error


def app(answer: object) -> FunctionApp:
    return FunctionApp(lambda request: answer, StreamLimits(), None)  # type: ignore[arg-type]


async def asked(what: Any, event: dict[str, Any], **settings: Any) -> None:
    context: Any = FakeContext()
    answering = Answering(what, AppSettings(**settings), closing=Closing(Table()))
    result = await answering.handle(as_bytes(event), context)
    if result.finish is not None:
        await result.finish(StreamOutcome.COMPLETED, None)


@both_ways
async def test_an_answer_is_told_with_its_bytes_and_without_what_may_be_a_secret(
    lines: Lines, make_event: Any
) -> None:
    await asked(app(Response("hello", 201)), make_event("POST", f"/reset/{'a1' * 12}"))

    line = lines.only
    assert (line["method"], line["path"]) == ("POST", "/reset/{id}")
    assert (line["status"], line["bytes"], line["outcome"]) == (201, 5, "completed")


@both_ways
async def test_a_request_that_cannot_be_read_has_a_line(lines: Lines, make_event: Any) -> None:
    event = make_event("POST", "/") | {"body": "%", "isBase64Encoded": True}
    await asked(app("x"), event)

    assert (lines.only["status"], lines.only["path"]) == (400, None)


@both_ways
async def test_the_close_route_has_a_line_without_the_id(lines: Lines, make_event: Any) -> None:
    await asked(app("x"), make_event("DELETE", "/.streams/abcdefghijklmnop"))

    assert (lines.only["status"], lines.only["path"]) == (200, "/.streams/{id}")


@both_ways
@pytest.mark.parametrize("streams", [True, False])
async def test_an_answer_that_fails_the_invocation_has_a_line(
    lines: Lines, make_event: Any, streams: bool
) -> None:
    answer = StreamingResponse([b"x"], 503) if streams else Response("x", 503)
    with pytest.raises(ErrorStatus):
        await asked(app(answer), make_event("GET", "/"), error_statuses=(range(500, 600),))

    assert (lines.only["status"], lines.only["outcome"]) == (503, "failed")


async def test_what_is_sent_in_the_place_of_an_answer_is_told(lines: Lines) -> None:
    unsendable = Response("x", headers={"x-split": "a\r\nb"})
    await asked(app(unsendable), http_api_event("GET", "/"))

    assert lines.only["status"] == 500


@both_ways
@pytest.mark.parametrize(
    ("error", "outcome"), [(OSError("x"), "failed"), (asyncio.CancelledError(), "shutdown")]
)
async def test_a_request_without_an_answer_has_a_line(
    lines: Lines, make_event: Any, error: BaseException, outcome: str
) -> None:
    with pytest.raises(type(error)):
        await asked(Broken(error), make_event("GET", "/"))

    assert (lines.only["status"], lines.only["outcome"]) == (None, outcome)


@pytest.mark.parametrize(
    ("environ", "is_written"),
    [
        ({}, True),
        ({"LOG_LEVEL": "debug"}, True),
        ({"AWS_LAMBDA_LOG_LEVEL": "WARN"}, False),
        ({"LOG_LEVEL": "ERROR"}, False),
        ({"POWERTOOLS_LOG_LEVEL": "ERROR", "LOG_LEVEL": "INFO"}, False),
        ({"AWS_LAMBDA_LOG_LEVEL": "TRACE"}, True),
    ],
)
def test_lines_are_written_unless_the_environment_asks_for_less(
    lines: Lines, environ: dict[str, str], is_written: bool
) -> None:
    AccessLog(lambda: 0.0, AppSettings.from_environ(environ, {}).log_level)

    assert logging.getLogger(LOGGER).isEnabledFor(logging.INFO) is is_written
