"""The loop itself: from invocation to invocation, whatever the last one or the peer did."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextvars import ContextVar

import pytest

from lambda_streaming.responses import Response, Result, StreamOutcome
from lambda_streaming.runtime.errors import RefusedError
from lambda_streaming.runtime.invocation import Invocation, LambdaContext
from lambda_streaming.runtime.invoker import LifeCycle
from tests.fakes.runtime_api import API, Event, FakeRuntimeApi, Raw, Treatment
from tests.fakes.runtime_serving import Finished, serving, streaming, until, until_idle


def hello(event: bytes, context: LambdaContext) -> Result:
    return Response(b"hello")


class Pauses:
    """A sleep that takes no time and remembers how long it should have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def test_a_thousand_good_and_bad_invocations_leave_nothing_behind() -> None:
    finished = Finished()
    open_bodies: set[int] = set()

    async def body(number: int) -> AsyncGenerator[bytes, None]:
        open_bodies.add(number)
        try:
            yield b"one"
            if number % 5 == 1:
                raise ValueError("bad body")
            if number % 5 == 2:
                await asyncio.Event().wait()  # until the connection is lost
        finally:
            open_bodies.discard(number)

    def handler(event: bytes, context: LambdaContext) -> Result:
        number = int(event)
        assert not open_bodies
        if number % 5 == 3:
            raise RuntimeError("bad handler")
        if number % 5 == 4:
            return hello(event, context)
        return streaming(body(number), finished)

    with FakeRuntimeApi() as api:
        lost = Treatment(close_after_chunks=3)
        for number in range(1000):
            api.add(
                Event(
                    body=str(number).encode(),
                    treatment=lost if number % 5 == 2 else Treatment(),
                )
            )
        async with serving(api, handler):
            await until(api, lambda: len(api.polls()) > 1000, 40)
        assert len(api.answers()) == 1000
        assert sum(answer.path.endswith("/error") for answer in api.answers()) == 200
    assert (
        finished.outcomes
        == [
            StreamOutcome.COMPLETED,
            StreamOutcome.FAILED,
            StreamOutcome.LOST,
        ]
        * 200
    )


async def test_connects_again_after_the_peer_closed_the_kept_connection() -> None:
    pauses = Pauses()
    with FakeRuntimeApi(close_after_each_reply=True) as api:
        api.add(Event(), Event())
        async with serving(api, hello, sleep=pauses):
            await until_idle(api, 3)
        assert [answer.status for answer in api.answers()] == [202, 202]
    assert pauses.seconds == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
    ],
)
async def test_backs_off_from_a_failing_runtime_api_and_recovers(garbage: bytes) -> None:
    pauses = Pauses()
    with FakeRuntimeApi() as api:
        api.add(*[Raw(garbage)] * 4, Event(), *[Raw(garbage)] * 4, Event())
        async with serving(api, hello, sleep=pauses):
            await until(api, lambda: len(api.answers()) == 2)
    assert pauses.seconds == [0.1, 0.2, 0.4, 0.8] * 2


async def test_gives_up_on_a_runtime_api_that_keeps_failing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pauses = Pauses()
    with FakeRuntimeApi() as api:
        api.refuse_connections()
        async with serving(api, hello, sleep=pauses) as task:
            assert await task == 1
    assert pauses.seconds == [0.1, 0.2, 0.4, 0.8]
    assert caplog.records[-1].levelno == logging.CRITICAL
    assert "giving up after 5 tries" in caplog.records[-1].getMessage()
    assert "ConnectionRefusedError" in caplog.records[-1].getMessage()


async def test_a_connection_dropped_while_waiting_for_an_event_is_made_again() -> None:
    pauses = Pauses()
    with FakeRuntimeApi() as api:
        async with serving(api, hello, sleep=pauses):
            await until_idle(api, 1)
            api.drop_connections()
            await until_idle(api, 2)
            api.add(Event())
            await until(api, lambda: len(api.answers()) == 1)
    assert pauses.seconds == [0.1]


async def test_the_life_cycle_is_told_of_every_invocation_in_order() -> None:
    calls: list[str] = []

    class Telling(LifeCycle):
        async def start(self) -> None:
            assert not api.exchanges
            calls.append("start")

        def begin(self, invocation: Invocation) -> None:
            calls.append(f"begin {invocation.request_id}")

        def handler_ended(self) -> None:
            calls.append("handler ended")

        async def settle(self) -> None:
            calls.append("settle")

    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        assert api.answers()[0].complete
        calls.append("finish")

    async def body() -> AsyncGenerator[bytes, None]:
        calls.append("body")
        yield b"x"

    def handler(event: bytes, context: LambdaContext) -> Result:
        calls.append("handler")
        if event == b"bad":
            raise ValueError
        return streaming(body(), finish)

    with FakeRuntimeApi() as api:
        api.add(Event(request_id="a"), Event(request_id="b", body=b"bad"))
        async with serving(api, handler, life_cycle=Telling()):
            await until_idle(api, 3)
    assert calls == [
        "start",
        *("begin a", "handler", "handler ended", "body", "finish", "settle"),
        *("begin b", "handler", "handler ended", "settle"),
    ]


@pytest.mark.parametrize("error", [ValueError("hook"), SystemExit(1), asyncio.CancelledError()])
async def test_a_failing_life_cycle_is_logged_and_survived(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(LifeCycle):
        def begin(self, invocation: Invocation) -> None:
            raise ValueError

        def handler_ended(self) -> None:
            raise ValueError

        async def settle(self) -> None:
            raise error

    async def finish(outcome: StreamOutcome, body_error: BaseException | None) -> None:
        raise error

    async def body() -> AsyncGenerator[bytes, None]:
        yield b"x"

    with FakeRuntimeApi() as api:
        api.add(Event(), Event())
        async with serving(
            api, lambda event, context: streaming(body(), finish), life_cycle=Failing()
        ) as task:
            await until_idle(api, 3)
            assert not task.done()
        assert all(answer.complete for answer in api.answers())
    for what in ("begin", "handler_ended", "finish", "settle"):
        assert caplog.text.count(f"{what} failed") == 2


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("error", [SystemExit(2), asyncio.CancelledError(), MemoryError()])
async def test_whatever_a_handler_raises_is_reported_and_survived(
    error: BaseException, is_async: bool
) -> None:
    def handler(event: bytes, context: LambdaContext) -> Result:
        if event == b"bad":
            raise error
        return hello(event, context)

    async def async_handler(event: bytes, context: LambdaContext) -> Result:
        await asyncio.sleep(0)
        return handler(event, context)

    with FakeRuntimeApi() as api:
        api.add(Event(body=b"bad"), Event())
        async with serving(api, async_handler if is_async else handler):
            await until_idle(api, 3)
        bad, good = api.answers()
        assert bad.headers["lambda-runtime-function-error-type"] == (
            f"Function.{type(error).__name__}"
        )
        assert good.complete


async def test_an_async_handler_is_awaited_while_the_event_loop_runs() -> None:
    wait = asyncio.Event()

    async def handler(event: bytes, context: LambdaContext) -> Result:
        await wait.wait()
        return hello(event, context)

    with FakeRuntimeApi() as api:
        api.add(Event(), Event())
        async with serving(api, handler):
            await until_idle(api, 1)
            assert not api.answers()
            wait.set()
            await until_idle(api, 3)
        assert [answer.payload for answer in api.answers()] == [b"hello", b"hello"]


async def test_a_callable_object_may_be_an_async_handler() -> None:
    class Handler:
        async def __call__(self, event: bytes, context: LambdaContext) -> Result:
            await asyncio.sleep(0)
            return hello(event, context)

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, Handler()):
            await until_idle(api, 2)
        assert api.answers()[0].payload == b"hello"


async def test_an_async_handler_that_streams_shares_its_context_with_the_body() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    finished = Finished()

    async def body() -> AsyncGenerator[bytes, None]:
        yield variable.get().encode()

    async def handler(event: bytes, context: LambdaContext) -> Result:
        variable.set("by the handler")
        await asyncio.sleep(0)
        return streaming(body(), finished)

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, handler):
            await until_idle(api, 2)
        assert api.answers()[0].payload == b"by the handler"
    assert finished.outcomes == [StreamOutcome.COMPLETED]
    assert variable.get() == "unset"


async def test_no_event_and_no_header_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def handler(event: bytes, context: LambdaContext) -> Result:
        return Response(b"x", 200, {"X-Token": "secret-header\n"})

    with FakeRuntimeApi() as api:
        event = Event(b"secret-event", headers={"Lambda-Runtime-Trace-Id": "secret-trace"})
        api.add(event, Raw(b"HTTP/1.1 500 No\r\nX: secret-reply\r\nContent-Length: 0\r\n\r\n"))
        async with serving(api, handler):
            await until_idle(api, 3)
        assert b"secret" not in api.answers()[0].body.replace(b"secret-header\\\\n", b"")
    logged = [record.getMessage() for record in caplog.records]
    assert logged
    assert "secret" not in "".join(logged)


async def test_a_snapshot_is_waited_out_on_a_connection_of_its_own() -> None:
    calls: list[str] = []

    class Telling(LifeCycle):
        async def start(self) -> None:
            assert not api.exchanges
            calls.append("started")

        async def restore(self) -> None:
            calls.append("restored")

    random.seed(1)
    expected = random.random()
    random.seed(1)
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, hello, life_cycle=Telling(), initialization_type="snap-start"):
            await until_idle(api, 2)
        first, second = api.exchanges[:2]
        assert first.path == API + "/restore/next"
        assert second.path == API + "/invocation/next"
        assert (first.connection, second.connection) == (1, 2)
    assert calls == ["started", "restored"]
    assert random.random() != expected


async def test_a_failed_restore_is_reported_and_ends_the_process() -> None:
    class Failing(LifeCycle):
        async def restore(self) -> None:
            raise OSError("no entropy")

    with FakeRuntimeApi() as api:
        async with serving(
            api, hello, life_cycle=Failing(), initialization_type="snap-start"
        ) as task:
            assert await task == 1
        report = api.exchanges[-1]
        assert report.path == API + "/restore/error"
        error_type = report.headers["lambda-runtime-function-error-type"]
        assert error_type == "Runtime.AfterRestoreError"
        assert b"no entropy" in report.body


async def test_a_refused_snapshot_raises_so_that_init_fails() -> None:
    with FakeRuntimeApi() as api:
        api.restore_status = 403
        async with serving(api, hello, initialization_type="snap-start") as task:
            with pytest.raises(RefusedError):
                await task


async def test_an_answer_that_was_refused_early_is_not_sent_to_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server may refuse an answer by its first bytes and read no more of it."""
    with FakeRuntimeApi() as api:
        refusing = Treatment(reply_without_reading=True, reply_status=413)
        api.add(Event(treatment=refusing))
        large = Response(b"x" * 50_000_000)
        async with serving(api, lambda event, context: large):
            await until_idle(api, 2)
        assert api.polls()[1].connection == 2
    assert "413" in caplog.text
