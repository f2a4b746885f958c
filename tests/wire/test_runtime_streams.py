"""How a streamed body is delivered, and how it ends when something is in its way."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import time
import tracemalloc
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from lambda_streaming.responses import (
    Body,
    Response,
    Result,
    StreamingResponse,
    StreamOutcome,
    Write,
)
from lambda_streaming.runtime.errors import ConnectionLostError, RefusedError
from lambda_streaming.runtime.invocation import LambdaContext
from lambda_streaming.runtime.response_stream import ResponseStream
from tests.fakes.runtime_api import NULS, Event, FakeRuntimeApi, Treatment
from tests.fakes.runtime_serving import Finished, serving, streaming, until, until_idle

PRELUDE = (
    b'4e\r\n{"statusCode":200,"headers":{"Content-Type":"text/event-stream"},"cookies":[]}\r\n'
    b"8\r\n" + NULS + b"\r\n"
)


class Producer:
    """A body that yields its blocks, waits forever, and says when it was finalised."""

    def __init__(self, *blocks: bytes) -> None:
        self.blocks = blocks
        self.cancelled_at: float | None = None
        self.finalised_at: float | None = None

    async def body(self) -> AsyncGenerator[bytes, None]:
        try:
            for block in self.blocks:
                yield block
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled_at = time.monotonic()
            raise
        finally:
            await asyncio.sleep(0)
            self.finalised_at = time.monotonic()


async def blocks_of(*blocks: bytes) -> AsyncGenerator[bytes, None]:
    for block in blocks:
        yield block


async def nothing(write: Write) -> None:
    pass


async def test_sends_one_chunk_per_block_and_these_bytes() -> None:
    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event())
        body = blocks_of(b": hi\n\n", b"", b"data: 1\n\n", b"x" * 17)
        async with serving(api, lambda event, context: streaming(body, finished)):
            await until_idle(api, 2)
        (answer,) = api.answers()
        assert bytes(answer.raw_body) == (
            PRELUDE + b"6\r\n: hi\n\n\r\n9\r\ndata: 1\n\n\r\n11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n"
        )
        assert api.polls()[1].connection == answer.connection
    assert finished.outcomes == [StreamOutcome.COMPLETED]
    assert finished.errors == [None]


async def test_the_head_is_sent_before_the_body_is_asked_for_anything() -> None:
    gate = asyncio.Event()

    async def body() -> AsyncGenerator[bytes, None]:
        await gate.wait()
        yield b"late"

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: streaming(body(), Finished())):
            await until(api, lambda: bool(api.answers()) and len(api.answers()[0].chunks) == 2)
            gate.set()
            await until_idle(api, 2)
        assert api.answers()[0].payload == b"late"


async def test_a_block_is_on_the_wire_before_the_body_goes_on() -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield b"first"
        await until(api, lambda: any(each.body.endswith(b"first") for each in api.answers()))
        yield b"second"

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: streaming(body(), Finished())):
            await until_idle(api, 2)
        assert [data for _, data in api.answers()[0].chunks[2:]] == [b"first", b"second"]


async def test_a_body_that_raises_ends_with_error_trailers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Feed2Error(Exception):
        pass

    async def body() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise Feed2Error("no more")

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: streaming(body(), finished)):
            await until_idle(api, 2)
        (answer,) = api.answers()
        assert answer.complete
        assert answer.payload == b"one"
        assert list(answer.trailers) == [
            "lambda-runtime-function-error-type",
            "lambda-runtime-function-error-body",
        ]
        assert answer.trailers["lambda-runtime-function-error-type"] == "Function.FeedError"
        assert answer.error_report["errorMessage"] == "no more"
        assert answer.error_report["errorType"] == "Feed2Error"
        assert "in body" in answer.error_report["stackTrace"][-1]
        assert {exchange.connection for exchange in api.exchanges} == {1}
    assert finished.outcomes == [StreamOutcome.FAILED]
    assert isinstance(finished.errors[0], Feed2Error)
    assert caplog.text.count("the body failed") == 1


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), TypeError("x" * 9999)])
async def test_whatever_a_body_raises_stays_with_its_invocation(error: BaseException) -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise error

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(), Event())
        async with serving(api, lambda event, context: streaming(body(), finished)):
            await until_idle(api, 3)
        trailers = api.answers()[0].trailers
        assert trailers["lambda-runtime-function-error-type"] == f"Function.{type(error).__name__}"
        sent = bytes(api.answers()[0].raw_body).partition(b"\r\n0\r\n")[2]
        assert len(sent) < 4096  # the read buffer of Go's net/http, into which trailers must fit
    assert finished.outcomes == [StreamOutcome.FAILED] * 2


async def text_of(*blocks: str) -> AsyncGenerator[str, None]:
    for block in blocks:
        yield block


def closed_generator(closed: list[str]) -> Iterator[bytes]:
    try:
        yield b"caf"
        yield b"\xc3\xa9"
    finally:
        closed.append("closed")


@pytest.mark.parametrize(
    "make_body",
    [
        lambda: text_of("caf", "\u00e9"),
        lambda: [b"caf", b"\xc3\xa9"],
        lambda: iter(("caf", "\u00e9")),
        lambda: blocks_of(b"caf", bytearray(b"\xc3"), memoryview(b"\xa9")),  # type: ignore[arg-type]
    ],
    ids=["text", "list", "iterator", "bytes-like"],
)
async def test_a_body_may_be_any_iterable_of_bytes_or_text(make_body: Callable[[], Body]) -> None:
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: StreamingResponse(make_body())):
            await until_idle(api, 2)
        assert api.answers()[0].payload == b"caf\xc3\xa9"


async def test_a_synchronous_body_is_asked_on_a_thread_and_closed() -> None:
    closed: list[str] = []
    threads: list[threading.Thread] = []

    def body() -> Iterator[bytes]:
        threads.append(threading.current_thread())
        yield from closed_generator(closed)

    with FakeRuntimeApi() as api:
        api.add(Event(), Event(treatment=Treatment(close_after_chunks=3)))
        async with serving(api, lambda event, context: StreamingResponse(body())):
            await until_idle(api, 3)
        assert api.answers()[0].payload == b"caf\xc3\xa9"
    assert closed == ["closed", "closed"]
    assert threading.main_thread() not in threads


@pytest.mark.parametrize("yields", [(), (b"",)], ids=["nothing", "an empty block"])
async def test_a_stream_without_a_byte_has_one(yields: tuple[bytes, ...]) -> None:
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: StreamingResponse(blocks_of(*yields))):
            await until_idle(api, 2)
        assert api.answers()[0].payload == b"\n"


@pytest.mark.parametrize(
    "answer",
    [
        lambda: Response(status=204),
        lambda: StreamingResponse(blocks_of()),
        lambda: StreamingResponse(nothing),
    ],
    ids=["whole", "iterated", "pushed"],
)
async def test_an_empty_body_can_be_left_empty(answer: Callable[[], Result]) -> None:
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: answer(), empty_body=b""):
            await until_idle(api, 2)
        (sent,) = api.answers()
        assert sent.complete
        assert sent.payload == b""


async def test_a_body_that_fails_before_its_first_byte_has_one_before_its_trailers() -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield b""
        raise ValueError

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: StreamingResponse(body())):
            await until_idle(api, 2)
        assert api.answers()[0].payload == b"\n"
        assert api.answers()[0].error_report["errorType"] == "ValueError"


async def test_a_body_that_yields_a_number_fails() -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield 7  # type: ignore[misc]

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: StreamingResponse(body())):
            await until_idle(api, 2)
        assert api.answers()[0].error_report["errorType"] == "TypeError"


@pytest.mark.parametrize("reset", [False, True])
async def test_a_lost_connection_ends_a_sleeping_producer_at_once(reset: bool) -> None:
    producer, finished = Producer(b"one"), Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(close_after_chunks=3, reset=reset)), Event())
        results: Iterator[Result] = iter([streaming(producer.body(), finished), Response(b"next")])
        async with serving(api, lambda event, context: next(results)):
            await until_idle(api, 3)
        lost, then = api.answers()
        assert lost.ended_at is not None
        assert producer.finalised_at is not None
        assert producer.finalised_at - lost.ended_at < 0.1
        assert producer.cancelled_at is not None
        assert then.complete
        assert then.connection == lost.connection + 1
    assert finished.outcomes == [StreamOutcome.LOST]
    assert isinstance(finished.errors[0], ConnectionLostError)


async def test_a_lost_connection_is_noticed_under_a_body_that_is_always_ready() -> None:
    async def endless() -> AsyncGenerator[bytes, None]:
        while True:
            yield b""

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(close_after_chunks=2)))
        async with serving(api, lambda event, context: streaming(endless(), finished)):
            await until_idle(api, 2)
    assert finished.outcomes == [StreamOutcome.LOST]


async def test_an_early_refusal_ends_the_stream_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    producer, finished = Producer(b"one"), Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(reply_after_chunks=3, reply_status=413)))
        async with serving(api, lambda event, context: streaming(producer.body(), finished)):
            await until_idle(api, 2)
        assert not api.answers()[0].complete
    assert producer.finalised_at is not None
    assert finished.outcomes == [StreamOutcome.LOST]
    assert isinstance(finished.errors[0], RefusedError)
    assert finished.errors[0].status == 413
    assert "413" in caplog.text


async def test_a_refusal_that_closes_the_connection_is_read_before_the_broken_pipe() -> None:
    finished = Finished()
    with FakeRuntimeApi() as api:
        refused = Treatment(reply_after_chunks=3, close_after_chunks=3, reply_status=413)
        api.add(Event(treatment=refused))
        async with serving(api, lambda event, context: streaming(endless_blocks(), finished)):
            await until_idle(api, 2)
    assert finished.outcomes == [StreamOutcome.LOST]
    assert isinstance(finished.errors[0], RefusedError)


async def test_an_early_acceptance_ends_nothing() -> None:
    """`cargo lambda watch` answers 200 before it has read the body."""
    finished = Finished()

    async def body() -> AsyncGenerator[bytes, None]:
        yield b"one"
        await asyncio.sleep(0.05)
        yield b"two"

    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(reply_after_chunks=1, reply_status=200)), Event())
        async with serving(api, lambda event, context: streaming(body(), finished)):
            await until_idle(api, 3)
        assert api.answers()[0].payload == b"onetwo"
        assert {exchange.connection for exchange in api.exchanges} == {1}
    assert finished.outcomes == [StreamOutcome.COMPLETED] * 2


async def test_a_connection_lost_after_an_early_acceptance_is_noticed() -> None:
    producer, finished = Producer(b"one"), Finished()
    with FakeRuntimeApi() as api:
        treatment = Treatment(reply_after_chunks=1, reply_status=200, close_after_chunks=3)
        api.add(Event(treatment=treatment))
        async with serving(api, lambda event, context: streaming(producer.body(), finished)):
            await until_idle(api, 2)
    assert finished.outcomes == [StreamOutcome.LOST]


async def test_a_refusal_of_the_whole_answer_is_a_loss() -> None:
    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(reply_status=413)))
        async with serving(api, lambda event, context: streaming(blocks_of(b"x"), finished)):
            await until_idle(api, 2)
    assert finished.outcomes == [StreamOutcome.LOST]


async def endless_blocks() -> AsyncGenerator[bytes, None]:
    block = b"x" * 100_000
    while True:
        yield block


async def test_a_peer_that_stops_reading_is_given_up_without_an_end_of_the_body() -> None:
    finished = Finished()
    stalled = Treatment(stop_reading_after_chunks=3)
    with FakeRuntimeApi(receive_buffer_bytes=8192) as api:
        api.add(Event(treatment=stalled))
        started = time.monotonic()
        async with serving(
            api,
            lambda event, context: streaming(endless_blocks(), finished, stall_seconds=0.2),
        ):
            await until_idle(api, 2)
        assert 0.2 <= time.monotonic() - started < 2
        assert not api.answers()[0].complete
    assert finished.outcomes == [StreamOutcome.STALLED]
    assert finished.errors == [None]


async def test_a_blocked_write_is_given_up_at_the_instant_given() -> None:
    finished = Finished()
    with FakeRuntimeApi(receive_buffer_bytes=8192) as api:
        api.add(Event(treatment=Treatment(stop_reading_after_chunks=3)))
        started = time.monotonic()
        async with serving(
            api,
            lambda event, context: streaming(
                endless_blocks(), finished, stall_seconds=60, write_deadline=started + 0.2
            ),
        ):
            await until_idle(api, 2)
        assert 0.2 <= time.monotonic() - started < 2
    assert finished.outcomes == [StreamOutcome.STALLED]


async def test_a_reply_that_never_comes_is_a_stall() -> None:
    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(no_reply=True)))
        async with serving(
            api, lambda event, context: streaming(blocks_of(b"x"), finished, stall_seconds=0.1)
        ):
            await until_idle(api, 2)
        assert api.answers()[0].complete
    assert finished.outcomes == [StreamOutcome.STALLED]


async def test_a_slow_reader_gets_everything_in_order() -> None:
    blocks = [bytes([number]) * 200_000 for number in range(50)]
    finished = Finished()
    with FakeRuntimeApi(receive_buffer_bytes=8192) as api:
        api.add(Event())
        async with serving(api, lambda event, context: streaming(blocks_of(*blocks), finished)):
            await until_idle(api, 2)
        assert [data for _, data in api.answers()[0].chunks[2:]] == blocks
    assert finished.outcomes == [StreamOutcome.COMPLETED]


async def test_a_body_that_swallows_its_cancellation_is_ended_at_its_next_block() -> None:
    ended = asyncio.Event()

    async def stubborn() -> AsyncGenerator[bytes, None]:
        try:
            yield b"one"
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
            yield b"two"
        finally:
            ended.set()

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(close_after_chunks=3)))
        async with serving(api, lambda event, context: streaming(stubborn(), finished)):
            await until_idle(api, 2)
    assert ended.is_set()
    assert finished.outcomes == [StreamOutcome.LOST]


async def test_a_finaliser_that_raises_is_logged_and_the_loop_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            raise OSError("cannot release")

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(close_after_chunks=3)), Event())
        results: Iterator[Result] = iter([streaming(body(), finished), Response(b"next")])
        async with serving(api, lambda event, context: next(results)):
            await until_idle(api, 3)
        assert api.answers()[1].complete
    assert finished.outcomes == [StreamOutcome.LOST]
    assert "cannot release" in caplog.text


async def test_handler_body_and_finish_share_a_context_that_ends_with_the_invocation() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    seen: list[str] = []

    async def body() -> AsyncGenerator[bytes, None]:
        seen.append(variable.get("unset"))
        variable.set("body")
        yield b"x"

    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        seen.append(variable.get("unset"))

    def handler(event: bytes, context: LambdaContext) -> Result:
        seen.append(variable.get("unset"))
        variable.set("handler")
        return streaming(body(), finish)

    with FakeRuntimeApi() as api:
        api.add(Event(), Event())
        async with serving(api, handler):
            await until_idle(api, 3)
    assert seen == ["unset", "handler", "body"] * 2


async def test_nothing_of_a_failed_stream_waits_for_the_garbage_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # pytest keeps log records, and they keep the error.
    monkeypatch.setattr(logging.getLogger(ResponseStream.__module__), "disabled", True)

    class Held:
        pass

    held: list[weakref.ref[Held]] = []

    async def body() -> AsyncGenerator[bytes, None]:
        kept = Held()
        held.append(weakref.ref(kept))
        yield b"one"
        raise ValueError(str(id(kept)))

    gc.disable()
    try:
        with FakeRuntimeApi() as api:
            api.add(Event(), Event())

            async def forget(outcome: StreamOutcome, error: BaseException | None) -> None: ...

            async with serving(api, lambda event, context: streaming(body(), forget)):
                await until_idle(api, 3)
                assert [reference() for reference in held] == [None, None]
    finally:
        gc.enable()


async def test_memory_is_flat_over_many_chunks() -> None:
    peaks: list[int] = []

    async def body() -> AsyncGenerator[bytes, None]:
        block = b"data: x\n\n"
        for part in range(4):
            for _ in range(10_000):
                yield block
            peaks.append(tracemalloc.get_traced_memory()[0])
            if part == 0:
                tracemalloc.reset_peak()

    with FakeRuntimeApi() as api:
        api.keep_chunks = False
        api.add(Event())
        tracemalloc.start()
        try:
            async with serving(api, lambda event, context: streaming(body(), Finished())):
                await until_idle(api, 2)
        finally:
            tracemalloc.stop()
        assert api.answers()[0].complete
    assert peaks[-1] - peaks[0] < 100_000


async def test_the_iterator_that_a_body_makes_is_closed_before_finish() -> None:
    """Left to the event loop, its `finally` would run beside the next invocation."""
    seen: list[str] = []

    class Blocks:
        async def __aiter__(self) -> AsyncIterator[Any]:
            try:
                yield 7  # no block: the stream fails while the iterator waits in this `yield`
            finally:
                await asyncio.sleep(0.02)
                seen.append("closed")

    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        seen.append("finished")

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda *_: StreamingResponse(Blocks(), finish=finish)):
            await until_idle(api, 2)
    assert seen == ["closed", "finished"]
