"""Bodies that are functions: they write, and may go on after the end of the body."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from lambda_streaming.responses import (
    Finish,
    PushedBody,
    Result,
    StreamingResponse,
    StreamOutcome,
    Write,
)
from lambda_streaming.runtime.errors import ConnectionLostError
from lambda_streaming.runtime.invocation import LambdaContext
from tests.fakes.runtime_api import Event, FakeRuntimeApi, Treatment
from tests.fakes.runtime_serving import Finished, serving, until, until_idle


def handler_of(
    body: PushedBody, finish: Finish | None = None, *, stall_seconds: float = 5
) -> Callable[[bytes, LambdaContext], Result]:
    def handler(event: bytes, context: LambdaContext) -> Result:
        return StreamingResponse(body, finish=finish, stall_seconds=stall_seconds)

    return handler


async def test_each_write_is_a_chunk_that_is_sent_when_it_returns() -> None:
    async def body(write: Write) -> None:
        await write(b"one")
        await until(api, lambda: any(one.body.endswith(b"one") for one in api.answers()))
        await write("caf\u00e9")
        await write(b"")
        await write(b"three")

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, handler_of(body, finished)):
            await until_idle(api, 2)
        (answer,) = api.answers()
        assert [data for _, data in answer.chunks[2:]] == [b"one", b"caf\xc3\xa9", b"three"]
        assert answer.complete
        assert {exchange.connection for exchange in api.exchanges} == {1}
    assert finished.outcomes == [StreamOutcome.COMPLETED]


async def test_the_opening_of_a_body_is_sent_before_the_body_is_called() -> None:

    async def body(write: Write) -> None:
        await until(api, lambda: any(one.body.endswith(b"first") for one in api.answers()))

    def handler(event: bytes, context: LambdaContext) -> Result:
        return StreamingResponse(body, opening=b"first")

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, handler):
            await until_idle(api, 2)
        (answer,) = api.answers()
        assert answer.payload == b"first"
        assert answer.complete


async def test_work_goes_on_after_the_end_with_the_client_already_served() -> None:
    go_on = asyncio.Event()
    done: list[str] = []

    async def body(write: Write) -> None:
        await write(b"all")
        await write.end()
        await go_on.wait()
        done.append("background")

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, handler_of(body, finished)):
            await until(api, lambda: any(one.complete for one in api.answers()))
            assert not done
            assert len(api.polls()) == 1, "the environment would freeze"
            go_on.set()
            await until_idle(api, 2)
        assert api.polls()[1].connection == 1
    assert done == ["background"]
    assert finished.outcomes == [StreamOutcome.COMPLETED]


async def test_a_connection_that_closes_after_the_end_does_not_stop_the_work() -> None:
    done: list[str] = []

    async def body(write: Write) -> None:
        await write.end()
        await until(api, lambda: any(one.status is not None for one in api.answers()))
        api.drop_connections()
        await asyncio.sleep(0.05)  # in which the closed connection would be noticed
        done.append("background")

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, handler_of(body, finished)):
            await until_idle(api, 2)
    assert done == ["background"]
    assert finished.outcomes == [StreamOutcome.COMPLETED]


@pytest.mark.parametrize("ends", [False, True])
async def test_a_body_that_writes_nothing_has_one_byte(ends: bool) -> None:
    async def body(write: Write) -> None:
        if ends:
            await write.end()

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, handler_of(body)):
            await until_idle(api, 2)
        assert api.answers()[0].payload == b"\n"


async def test_nothing_can_be_written_after_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async def body(write: Write) -> None:
        await write(b"all")
        await write.end()
        for again in (write.end(), write(b"more")):
            with pytest.raises(RuntimeError, match="the body has ended"):
                await again

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, handler_of(body)):
            await until_idle(api, 2)
        assert api.answers()[0].payload == b"all"
    assert not caplog.records


async def test_what_fails_before_the_end_goes_into_trailers() -> None:
    async def body(write: Write) -> None:
        await write(b"one")
        raise ValueError("no more")

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, handler_of(body, finished)):
            await until_idle(api, 2)
        assert api.answers()[0].payload == b"one"
        assert api.answers()[0].error_report["errorMessage"] == "no more"
    assert finished.outcomes == [StreamOutcome.FAILED]


async def test_what_fails_after_the_end_is_logged_and_hurts_no_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body(write: Write) -> None:
        await write(b"all")
        await write.end()
        raise ValueError("no mail sent")

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, handler_of(body, finished)):
            await until_idle(api, 2)
        (answer,) = api.answers()
        assert answer.complete
        assert not answer.trailers
    assert finished.outcomes == [StreamOutcome.COMPLETED]
    assert isinstance(finished.errors[0], ValueError)
    assert [one.getMessage() for one in caplog.records] == ["the work after the body failed"]


async def test_blocks_of_several_tasks_stay_whole_before_a_slow_reader() -> None:
    """Each is more than the socket takes at once."""
    blocks = [bytes([letter]) * 300_000 for letter in b"abcdefgh"]

    async def body(write: Write) -> None:
        async with asyncio.TaskGroup() as group:
            for block in blocks:
                group.create_task(_as_coroutine(write(block)))
        await write(b"end")

    with FakeRuntimeApi(receive_buffer_bytes=8192) as api:
        api.add(Event())
        async with serving(api, handler_of(body)):
            await until_idle(api, 2)
        assert [data for _, data in api.answers()[0].chunks[2:]] == [*blocks, b"end"]


async def _as_coroutine(write: Awaitable[None]) -> None:
    await write


async def test_a_peer_that_stops_reading_ends_the_function() -> None:
    cancelled: list[str] = []

    async def body(write: Write) -> None:
        try:
            while True:
                await write(b"x" * 100_000)
        except asyncio.CancelledError:
            cancelled.append("cancelled")
            raise

    finished = Finished()
    with FakeRuntimeApi(receive_buffer_bytes=8192) as api:
        api.add(Event(treatment=Treatment(stop_reading_after_chunks=3)))
        async with serving(api, handler_of(body, finished, stall_seconds=0.2)):
            await until_idle(api, 2)
        assert not api.answers()[0].complete
    assert finished.outcomes == [StreamOutcome.STALLED]
    assert cancelled == ["cancelled"]


async def test_a_lost_connection_ends_a_function_that_waits() -> None:
    async def body(write: Write) -> None:
        await write(b"one")
        await asyncio.Event().wait()

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(close_after_chunks=3)))
        async with serving(api, handler_of(body, finished)):
            await until_idle(api, 2)
    assert finished.outcomes == [StreamOutcome.LOST]
    assert isinstance(finished.errors[0], ConnectionLostError)


@pytest.mark.parametrize("more", [b"", b"more"])
async def test_a_block_is_sent_to_its_end_though_its_writer_was_cancelled(more: bytes) -> None:
    """The chunks after it would be read as its rest."""
    written: list[bytes] = []

    async def body(write: Write) -> None:
        is_taken = True
        while is_taken:
            written.append(b"x" * 8_000_000)
            writing = asyncio.create_task(_as_coroutine(write(written[-1])))
            await asyncio.sleep(0)
            is_taken = writing.done()  # now and then the socket takes all of it
        writing.cancel()
        await asyncio.wait([writing])
        await write(more)

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, handler_of(body)):
            await until_idle(api, 2)
        assert api.answers()[0].complete
        assert api.answers()[0].payload == b"".join(written) + more


async def test_a_stall_releases_every_task_that_waits_to_write_and_says_why() -> None:
    found: list[object] = []

    async def one(write: Write) -> None:
        try:
            while True:
                await write(b"x" * 1_000_000)
        except ConnectionLostError:
            found.append(write.stopped_by)

    async def body(write: Write) -> None:
        assert write.stopped_by is None
        writing = [asyncio.create_task(one(write)) for _ in range(3)]
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.wait(writing)
            raise

    with FakeRuntimeApi(receive_buffer_bytes=8192) as api:
        api.add(Event(treatment=Treatment(stop_reading_after_chunks=3)))
        async with serving(api, handler_of(body, stall_seconds=0.2)):
            await until_idle(api, 2)
    assert found == [StreamOutcome.STALLED] * 3


async def test_a_task_that_is_left_behind_writes_into_no_other_answer() -> None:
    """It waits for a full socket whose descriptor the next connection is likely to get."""
    left_behind: list[asyncio.Task[None]] = []

    async def stray(write: Write) -> None:
        while True:
            await write(b"x" * 100_000)

    async def body(write: Write) -> None:
        left_behind.append(asyncio.create_task(stray(write)))
        await asyncio.Event().wait()

    async def next_body(write: Write) -> None:
        await write(b"next")
        await asyncio.wait(left_behind)

    bodies = iter([body, next_body])
    with FakeRuntimeApi(receive_buffer_bytes=8192) as api:
        api.add(Event(treatment=Treatment(stop_reading_after_chunks=3)), Event())
        async with serving(
            api,
            lambda event, context: StreamingResponse(next(bodies), stall_seconds=0.2),
        ):
            await until_idle(api, 3)
        assert api.answers()[1].payload == b"next"
    assert isinstance(left_behind[0].exception(), ConnectionLostError)


async def test_a_function_that_always_writes_lets_the_loop_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.ERROR)

    async def body(write: Write) -> None:
        while True:
            await write(b"")

    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(close_after_chunks=2)))
        async with serving(api, handler_of(body, finished)):
            await until_idle(api, 2)
    assert finished.outcomes == [StreamOutcome.LOST]


async def test_what_watches_for_the_end_is_over_when_finish_is_called() -> None:
    """Else it freezes with the environment, and ASGI's bridge warns of a task left behind."""
    watches: set[str] = set()

    async def watch() -> None:
        watches.add("begun")
        try:
            await asyncio.Event().wait()
        finally:
            watches.add("over")

    async def body(write: Write) -> None:
        await write(b"all")

    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        seen.append(set(watches))

    seen: list[set[str]] = []
    with FakeRuntimeApi() as api:
        api.add(Event())
        response = StreamingResponse(body, finish=finish, until=watch)
        async with serving(api, lambda event, context: response):
            await until_idle(api, 2)
    assert seen == [{"begun", "over"}]
