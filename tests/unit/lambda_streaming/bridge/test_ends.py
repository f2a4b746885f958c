"""How an answer ends that the app did not end, and what becomes of the app."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from lambda_streaming.bridge.adapter import AsgiAdapter, Limits
from lambda_streaming.bridge.observer import EndReason
from lambda_streaming.bridge.types import AsgiApp, Receive, Scope, Send
from lambda_streaming.requests import Request
from lambda_streaming.responses import StreamingResponse, StreamOutcome
from tests.fakes.asgi import (
    EVENT_STREAM,
    Delivered,
    FakeRuntime,
    Observed,
    block,
    hello,
    request,
    start,
)
from tests.fakes.virtual_time import run_virtually


@dataclass
class Life:
    """When what happened to an app, in seconds."""

    at: list[tuple[float, str]] = field(default_factory=list)

    def note(self, what: str) -> None:
        self.at.append((round(asyncio.get_running_loop().time(), 3), what))

    def app(self, *, every_seconds: float | None = 1.0, listens: bool = False) -> AsgiApp:
        """Streams until it is stopped. `listens` ends it with `http.disconnect`."""

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            try:
                if every_seconds is None:
                    await asyncio.Event().wait()
                await send(start(200, EVENT_STREAM))
                streaming = asyncio.ensure_future(self._stream(send, every_seconds or 0))
                gone = asyncio.ensure_future(receive())
                waiting = {streaming, gone} if listens else {streaming}
                try:
                    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    if listens:
                        self.note("http.disconnect")
                    if streaming.done():
                        streaming.result()
                finally:
                    for task in (streaming, gone):
                        task.cancel()
                    await asyncio.wait((streaming, gone))
            except OSError:
                self.note("OSError")
                raise
            except asyncio.CancelledError:
                self.note("cancelled")
                raise

        return run

    async def _stream(self, send: Send, every_seconds: float) -> None:
        while True:
            await send(block(b"tick", True))
            await asyncio.sleep(every_seconds)


def answer(
    app: AsgiApp,
    asked: Request | None = None,
    *,
    buffers: bool = False,
    observed: Observed | None = None,
    during: Any = None,
    **limits: float | None,
) -> Delivered:
    """`during` is a coroutine function of the runtime that runs meanwhile."""

    async def scenario() -> Delivered:
        before = asyncio.all_tasks()
        runtime = FakeRuntime(
            AsgiAdapter(
                app,
                limits=Limits(**limits),  # type: ignore[arg-type]
                observe=None if observed is None else lambda _: observed,
                monotonic=asyncio.get_running_loop().time,
            )
        )
        meanwhile = None if during is None else asyncio.ensure_future(during(runtime))
        delivered = await runtime.answer(asked or request(), buffers=buffers)
        if meanwhile is not None:
            await meanwhile
        assert asyncio.all_tasks() == before
        return delivered

    return run_virtually(scenario())


# The deadline


def test_an_app_that_does_not_begin_before_the_deadline_is_a_504(
    caplog: pytest.LogCaptureFixture,
) -> None:
    life, observed = Life(), Observed()

    delivered = answer(life.app(every_seconds=None), request(deadline=10.0), observed=observed)

    assert delivered.status == 504
    assert b'"code":"deadline"' in delivered.body
    assert b'"request_id":"request-1"' in delivered.body
    assert delivered.head_at == 8.0
    assert life.at == [(9.0, "cancelled")]
    assert observed.told[-1] == ("ended", EndReason.DEADLINE)
    assert "Life.app.<locals>.run" in caplog.text, "the log says where it waits"


def test_a_stream_at_the_deadline_ends_with_trailers_that_say_so() -> None:
    life, observed = Life(), Observed()

    delivered = answer(
        life.app(), request(deadline=10.0), observed=observed, max_stream_seconds=100
    )

    assert delivered.body == b"tick" * 8
    assert delivered.outcome is StreamOutcome.FAILED
    assert delivered.error_type == "Function.Deadline"
    assert life.at == [(8.0, "OSError")]
    assert observed.told[-1] == ("ended", EndReason.DEADLINE)


def test_the_end_of_a_stream_is_told_by_disconnect_then_by_cancellation() -> None:
    hears, is_deaf = Life(), Life()

    answer(hears.app(every_seconds=50, listens=True), request(deadline=10.0))
    answer(is_deaf.app(every_seconds=50), request(deadline=10.0))

    assert hears.at == [(8.0, "http.disconnect")]
    assert is_deaf.at == [(9.0, "cancelled")]


def test_a_timeout_shorter_than_the_margin_is_not_all_margin() -> None:
    assert answer(hello, request(deadline=1.0)).status == 200
    assert answer(Life().app(every_seconds=None), request(deadline=1.0)).head_at == 0.5


def test_a_small_margin_is_shared_by_the_app_and_the_trailers() -> None:
    life = Life()

    delivered = answer(
        life.app(every_seconds=50), request(deadline=10.0), deadline_margin_seconds=0.4
    )

    assert life.at == [(9.8, "cancelled")]
    assert delivered.ended_at < 10.0


def test_trailers_go_out_before_the_deadline_though_the_app_ignores_everything() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(block(b"one", True))
        while asyncio.get_running_loop().time() < 30:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                pass

    delivered = answer(app, request(deadline=10.0))

    assert delivered.error_type == "Function.Deadline"
    assert delivered.ended_at <= 9.5
    assert delivered.finished_at >= 30, "the environment is not given to the next invocation"


def test_a_buffered_answer_that_is_not_complete_at_the_deadline_is_a_504() -> None:
    life = Life()

    delivered = answer(life.app(), request(deadline=10.0), buffers=True)

    assert (delivered.status, delivered.head_at) == (504, 8.0)
    assert life.at == [(8.0, "OSError")]


# The longest stream


def test_an_event_stream_ends_cleanly_after_300_seconds() -> None:
    life, observed = Life(), Observed()

    delivered = answer(life.app(), request(deadline=900.0), observed=observed)

    assert delivered.outcome is StreamOutcome.COMPLETED
    assert delivered.ended_at == 300.0
    assert life.at == [(300.0, "OSError")]
    assert observed.told[-1] == ("ended", EndReason.MAX_STREAM)


def test_the_client_of_an_event_stream_does_not_wait_for_the_app() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, EVENT_STREAM))
        await send(block(b"one", True))
        await asyncio.sleep(500)

    delivered = answer(app, max_stream_seconds=20)

    assert delivered.outcome is StreamOutcome.COMPLETED
    assert (delivered.ended_at, delivered.finished_at) == (20.0, 21.0)


async def half_a_table(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200, (b"content-type", b"text/csv")))
    await send(block(b"half", True))
    await asyncio.sleep(500)


def test_any_other_body_that_is_cut_off_is_no_whole_one() -> None:
    observed = Observed()
    delivered = answer(half_a_table, observed=observed, max_stream_seconds=20)

    assert (delivered.outcome, delivered.body) == (StreamOutcome.FAILED, b"half")
    assert delivered.error_type == "Function.MaxStream"
    assert observed.told[-1] == ("ended", EndReason.MAX_STREAM)


def test_a_buffered_body_that_is_cut_off_is_a_504(caplog: pytest.LogCaptureFixture) -> None:
    observed = Observed()
    delivered = answer(half_a_table, buffers=True, observed=observed, max_stream_seconds=20)

    assert delivered.status == 504
    assert b'"code":"max_stream"' in delivered.body
    assert ("head_sent", 504) in observed.told
    assert observed.told[-1] == ("ended", EndReason.MAX_STREAM)
    assert "half_a_table" in caplog.text, "the log says where it waits"


@pytest.mark.parametrize("deadline", [None, 10.0])
def test_a_body_whose_end_is_on_its_way_has_ended(deadline: float | None) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(block(b"one", True))
        await asyncio.sleep(7)
        await send(block(b"two"))

    async def during(runtime: FakeRuntime) -> None:
        runtime.write.end_takes_seconds = 1.5

    observed = Observed()
    delivered = answer(
        app,
        request(deadline=deadline),
        during=during,
        observed=observed,
        max_stream_seconds=8 if deadline is None else 100,
    )

    assert delivered.outcome is StreamOutcome.COMPLETED
    assert observed.told[-1] == ("ended", EndReason.COMPLETED)


def test_other_streams_may_take_until_the_deadline() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, (b"content-type", b"text/csv")))
        await send(block(b"one", True))
        await asyncio.sleep(500)
        await send(block(b"two"))

    assert answer(app, request(deadline=900.0)).body == b"onetwo"


def test_a_buffered_event_stream_is_what_came_in_its_time() -> None:
    delivered = answer(Life().app(), buffers=True, max_stream_seconds=3.5)

    assert (delivered.status, delivered.body) == (200, b"tick" * 4)


# The socket, and SIGTERM


@pytest.mark.parametrize(
    "outcome", [StreamOutcome.LOST, StreamOutcome.STALLED, StreamOutcome.SHUTDOWN]
)
def test_an_app_learns_that_the_runtime_gave_the_answer_up(outcome: StreamOutcome) -> None:
    life, observed = Life(), Observed()

    async def during(runtime: FakeRuntime) -> None:
        await asyncio.sleep(2.5)
        runtime.stop(outcome)

    delivered = answer(life.app(every_seconds=50, listens=True), observed=observed, during=during)

    assert delivered.outcome is outcome
    assert life.at == [(2.5, "http.disconnect")]
    assert observed.told[-1] == ("ended", EndReason(outcome.value))


@pytest.mark.parametrize(
    ("outcome", "grace_seconds"), [(StreamOutcome.LOST, 1.0), (StreamOutcome.SHUTDOWN, 0.03)]
)
def test_an_app_that_does_not_listen_is_cancelled(
    outcome: StreamOutcome, grace_seconds: float
) -> None:
    life = Life()

    async def during(runtime: FakeRuntime) -> None:
        await asyncio.sleep(2)
        runtime.stop(outcome)

    answer(life.app(every_seconds=50), during=during)

    assert life.at == [(2 + grace_seconds, "cancelled")]


def test_a_lost_socket_that_a_write_finds_is_an_oserror_from_send(
    caplog: pytest.LogCaptureFixture,
) -> None:
    life, observed = Life(), Observed()

    async def during(runtime: FakeRuntime) -> None:
        await asyncio.sleep(2.5)
        runtime.write.is_lost = True

    delivered = answer(life.app(), observed=observed, during=during)

    assert delivered.outcome is StreamOutcome.LOST
    assert life.at == [(3.0, "OSError")]
    assert observed.told[-1] == ("ended", EndReason.LOST)
    assert not caplog.records, "an app that ends with the OSError did nothing wrong"


@pytest.mark.parametrize("how", ["cause", "context", "group"])
def test_an_app_that_fails_by_the_oserror_did_nothing_wrong(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        try:
            while True:
                await send(block(b"one", True))
                await asyncio.sleep(1)
        except OSError as error:
            if how == "cause":
                raise ValueError from error
            if how == "group":
                raise ExceptionGroup("of a task group", [error]) from None
            raise ValueError  # noqa: B904 (the context is meant)

    answer(app, request(deadline=10.0))

    assert not caplog.records


def test_sigterm_before_the_answer_ends_the_app() -> None:
    life, observed = Life(), Observed()

    async def scenario() -> None:
        before = asyncio.all_tasks()
        adapter = AsgiAdapter(
            life.app(every_seconds=None),
            observe=lambda _: observed,
            monotonic=asyncio.get_running_loop().time,
        )
        answering = asyncio.ensure_future(adapter.stream(request()))
        await asyncio.sleep(2)
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering
        assert asyncio.all_tasks() == before

    run_virtually(scenario())

    assert life.at == [(2.03, "cancelled")]
    assert observed.told[-1] == ("ended", EndReason.SHUTDOWN)


# Background work


@pytest.mark.parametrize("buffers", [False, True], ids=["streamed", "buffered"])
@pytest.mark.parametrize("streams", [False, True], ids=["one message", "two messages"])
@pytest.mark.parametrize(
    ("background_seconds", "deadline", "ends_at"),
    [(None, None, 60.0), (5.0, None, 5.0), (None, 30.0, 28.0), (50.0, 30.0, 28.0)],
)
def test_background_work_has_its_bounds(
    background_seconds: float | None,
    deadline: float | None,
    ends_at: float,
    streams: bool,
    buffers: bool,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        if streams:
            await send(block(b"one", True))
        await send(block(b"two"))
        await asyncio.sleep(60)

    delivered = answer(
        app, request(deadline=deadline), buffers=buffers, background_seconds=background_seconds
    )

    assert delivered.body.endswith(b"two")
    assert delivered.ended_at == 0.0
    assert delivered.finished_at == ends_at


def test_background_work_that_fails_is_logged_and_hurts_no_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    observed = Observed()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await hello(scope, receive, send)
        raise ValueError("no mail sent")

    assert answer(app, observed=observed).body == b"hello"
    assert [one.getMessage() for one in caplog.records] == [
        "Exception in ASGI application, after its answer"
    ]
    assert observed.told[-2:] == [("app_returned", "ValueError"), ("ended", EndReason.COMPLETED)]


@pytest.mark.parametrize(
    "error", [SystemExit(3), asyncio.CancelledError(), ExceptionGroup("g", [ValueError()])]
)
@pytest.mark.parametrize("buffers", [False, True], ids=["streamed", "buffered"])
def test_whatever_the_app_raises_is_a_500(error: BaseException, buffers: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    delivered = answer(app, buffers=buffers)

    assert (delivered.status, delivered.body) == (500, b"Internal Server Error")


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("", False),
        ("*/*", False),
        ("text/html,*/*;q=0.8", False),
        ("text/plain, application/json", False),
        ("application/json", True),
        ("application/problem+json", True),
        ("application/json, text/plain, */*", True),
        ("text/plain;q=0.5, application/json", True),
        ("application/json;q=0", False),
        ("application/json;q=x", False),
    ],
)
def test_a_500_is_json_for_clients_that_prefer_it(accept: str, is_json: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError

    delivered = answer(app, request(headers=(("accept", accept),)))

    assert delivered.body.startswith(b'{"error":') is is_json


@pytest.mark.parametrize("buffers", [False, True], ids=["streamed", "buffered"])
@pytest.mark.parametrize("starts", [False, True])
def test_an_app_that_returns_without_an_answer_is_a_500(starts: bool, buffers: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if starts:
            await send(start())

    assert answer(app, buffers=buffers).status == 500


def test_an_error_in_the_middle_of_a_buffered_answer_is_a_500() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(block(b"one", True))
        raise ValueError

    delivered = answer(app, buffers=True)

    assert (delivered.status, delivered.body) == (500, b"Internal Server Error")


@pytest.mark.parametrize("blocks", [1, 10])
def test_a_buffered_answer_that_is_too_large_is_a_500_that_says_so(blocks: int) -> None:
    life, observed = Life(), Observed()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        try:
            for number in range(blocks):
                await send(block(b"x" * (10_000_000 // blocks), number < blocks - 1))
        except OSError:
            life.note("OSError")

    delivered = answer(app, buffers=True, observed=observed)

    assert delivered.status == 500
    assert b"larger than the 6225920 bytes" in delivered.body
    assert life.at == [(0.0, "OSError")]
    assert observed.told[-1] == ("ended", EndReason.TOO_LARGE)


def test_an_app_goes_on_when_its_whole_answer_is_delivered_and_not_before() -> None:
    """What it does next may keep the event loop busy."""
    went_on: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await hello(scope, receive, send)
        went_on.append("work")

    async def scenario() -> None:
        result = await AsgiAdapter(app).stream(request())
        await asyncio.sleep(1)
        assert not went_on
        assert result.finish is not None
        await result.finish(StreamOutcome.COMPLETED, None)

    run_virtually(scenario())

    assert went_on == ["work"]


def test_a_large_body_is_sent_as_a_stream_that_may_stall() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(block(b"x" * 1_100_000))

    async def scenario() -> None:
        result = await AsgiAdapter(app, limits=Limits(stall_seconds=7)).stream(request())
        assert isinstance(result, StreamingResponse)
        assert result.stall_seconds == 7
        assert result.finish is not None
        await result.finish(StreamOutcome.COMPLETED, None)

    run_virtually(scenario())


def test_an_app_whose_answer_is_collected_lets_the_event_loop_run() -> None:
    stop: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(block(b"one", True))
        asyncio.get_running_loop().call_soon(stop.append, "stop")
        for _ in range(1000):
            await send(block(b"", True))
        assert stop
        await send(block())

    assert answer(app, buffers=True).status == 200


# What is left behind


def test_nobody_is_blamed_for_tasks_while_requests_overlap(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(scope["aws.deadline"] / 100)
        await hello(scope, receive, send)

    async def scenario() -> None:
        adapter = AsgiAdapter(app, monotonic=asyncio.get_running_loop().time)
        await asyncio.gather(
            *(FakeRuntime(adapter).answer(request(deadline=seconds)) for seconds in (100, 200, 300))
        )

    run_virtually(scenario())

    assert not caplog.records


def test_tasks_that_are_left_behind_are_logged_once_for_each_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def forgotten() -> None:
        await asyncio.sleep(1000)

    left: list[asyncio.Task[None]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        left.append(asyncio.create_task(forgotten()))
        await hello(scope, receive, send)

    async def scenario() -> None:
        adapter = AsgiAdapter(app)
        for _ in range(3):
            await FakeRuntime(adapter).answer(request())
        for task in left:
            task.cancel()
        await asyncio.wait(left)

    run_virtually(scenario())

    (record,) = caplog.records
    assert record.getMessage().startswith("a request left tasks behind: ")
    assert "forgotten" in record.getMessage()


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("background_seconds", -1.0),
        ("deadline_margin_seconds", float("nan")),
        ("stall_seconds", 0.0),
        ("max_stream_seconds", 0.0),
    ],
)
def test_a_limit_that_is_none_is_refused_by_name(name: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=name):
        Limits(**{name: seconds})
