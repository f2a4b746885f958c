"""EventStream: what is written when, on a loop of virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from random import Random
from typing import Any

import pytest

from lambda_streaming.functions.event_stream import (
    Event,
    EventStream,
    Lifetime,
    ServerSentEvent,
    event_stream_response,
)
from lambda_streaming.responses import StreamingResponse, StreamOutcome
from lambda_streaming.runtime.errors import ConnectionLostError
from lambda_streaming.runtime.response_stream import close_body
from lambda_streaming.sse import InvalidEvent
from tests.fakes.virtual_time import run_in_real_time, run_virtually


class Client:
    """Notes each block with the time at which it was written. May take its time for one."""

    def __init__(self, write_seconds: float = 0.0) -> None:
        self.blocks: list[tuple[float, bytes]] = []
        self.write_seconds = write_seconds
        self.is_lost = False
        self.is_taking = False

    async def __call__(self, block: bytes | str) -> None:
        assert not self.is_taking, "two blocks at once"
        if self.is_lost:
            raise ConnectionLostError("gone")
        now = asyncio.get_running_loop().time()
        self.is_taking = True
        if self.write_seconds:
            await asyncio.sleep(self.write_seconds)
        self.is_taking = False
        self.blocks.append((now, block if isinstance(block, bytes) else block.encode()))

    async def end(self) -> None:
        raise AssertionError("the runtime ends the body")

    @property
    def written(self) -> list[bytes]:
        return [block for _, block in self.blocks]


def response(stream: EventStream, seconds: float = 300, **more: Any) -> StreamingResponse:
    return event_stream_response(
        stream, Lifetime(seconds, **more), stall_seconds=30, random=Random(0)
    )


async def send(answer: StreamingResponse, client: Client) -> None:
    """As the runtime does: the opening with the head, then what the body writes."""
    now = asyncio.get_running_loop().time()
    client.blocks.append((now, answer.opening))
    body: Any = answer.body
    await body(client)


def deliver(stream: EventStream, client: Client, seconds: float = 300, **more: Any) -> None:
    async def run() -> None:
        answer = response(stream, seconds, **more)
        before = asyncio.all_tasks()
        try:
            await send(answer, client)
        finally:
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == before, "a task is left behind"

    virtually(run())


def virtually(main: Coroutine[Any, Any, None]) -> None:
    run_virtually(main)


async def ticks(*after_seconds: float) -> AsyncIterator[Event]:
    for number, seconds in enumerate(after_seconds):
        await asyncio.sleep(seconds)
        yield str(number)


def test_events_are_text_json_or_named_and_numbered() -> None:
    async def events() -> AsyncIterator[Event]:
        yield "two\nlines"
        yield {"token": "é"}
        yield ServerSentEvent([1, 2], event="numbers", id=7, retry_ms=100)

    client = Client()
    deliver(EventStream(events()), client)

    assert client.written == [
        b": open\n",
        b"data: two\ndata: lines\n\n",
        'data: {"token":"é"}\n\n'.encode(),
        b"event: numbers\nid: 7\nretry: 100\ndata: [1,2]\n\n",
    ]


def test_a_comment_is_sent_before_the_first_event_is_asked_for() -> None:
    client = Client()
    deliver(EventStream(ticks(5)), client)

    assert client.blocks[0] == (0.0, b": open\n")


def test_retry_is_told_with_the_comment() -> None:
    client = Client()
    deliver(EventStream(ticks(0), retry_ms=1500), client)

    assert client.written[0] == b": open\nretry: 1500\n"


def test_an_iterable_that_is_not_asynchronous_serves_too() -> None:
    async def run() -> None:
        await send(response(EventStream(iter(["a", "b"]))), client)

    client = Client()
    run_in_real_time(run())

    assert client.written == [b": open\n", b"data: a\n\n", b"data: b\n\n"]


def test_a_heartbeat_follows_each_silence() -> None:
    client = Client()
    deliver(EventStream(ticks(10, 40, 1), heartbeat_seconds=15), client)

    assert [(seconds, block) for seconds, block in client.blocks if block == b":\n"] == [
        (25.0, b":\n"),
        (40.0, b":\n"),
    ]


def test_the_end_comes_after_max_stream_seconds_with_a_time_to_come_back() -> None:
    client = Client()
    deliver(EventStream(ticks(1, 1000)), client, 60)

    seconds, block = client.blocks[-1]
    assert seconds == 60.0
    assert block == b'event: end\nretry: 594\ndata: {"reason":"rotate","retry_ms":594}\n\n'


def test_the_end_comes_before_the_deadline() -> None:
    client = Client()
    deliver(EventStream(ticks(1, 1000)), client, deadline=30, margin_seconds=2)

    assert client.blocks[-1][0] == 28.0
    assert b'"deadline"' in client.blocks[-1][1]


def test_a_short_invocation_leaves_half_of_it_to_the_stream() -> None:
    client = Client()
    deliver(EventStream(ticks(1000)), client, deadline=2, margin_seconds=5)

    assert client.blocks[-1][0] == 1.0


def test_the_end_waits_for_a_block_that_is_being_written() -> None:
    client = Client(write_seconds=9.5)
    deliver(EventStream(ticks(0, 0, 0, 0), heartbeat_seconds=100), client, 12)

    assert client.written[:3] == [b": open\n", b"data: 0\n\n", b"data: 1\n\n"]
    assert client.written[-1].startswith(b"event: end\n")
    assert len(client.written) == 4


def test_a_heartbeat_that_is_being_written_is_finished_before_what_follows() -> None:
    class Slow(Client):
        async def __call__(self, block: bytes | str) -> None:
            if block == b":\n":
                await asyncio.sleep(5)
            await super().__call__(block)

    client = Slow()
    deliver(EventStream(ticks(12), heartbeat_seconds=10), client)

    assert client.blocks == [(0.0, b": open\n"), (12.0, b"data: 0\n\n"), (15.0, b":\n")]


def test_a_source_that_swallows_its_interruption_ends_with_its_next_event() -> None:
    async def stubborn() -> AsyncIterator[Event]:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            yield "still here"
        yield "not any more"

    client = Client()
    deliver(EventStream(stubborn()), client, 60)

    assert client.written[-2] == b"data: still here\n\n"
    assert client.written[-1].startswith(b"event: end\n")


def test_the_source_is_closed_at_the_end() -> None:
    closed: list[str] = []

    async def events() -> AsyncIterator[Event]:
        try:
            yield "a"
            await asyncio.sleep(1000)
        finally:
            closed.append("closed")

    deliver(EventStream(events()), Client(), 60)
    assert closed == ["closed"]


def test_an_error_of_the_source_is_announced_and_raised() -> None:
    async def events() -> AsyncIterator[Event]:
        yield "a"
        raise LookupError("secret")

    client = Client()
    with pytest.raises(LookupError):
        deliver(EventStream(events()), client)

    assert client.written[-1].startswith(b"event: end\nretry: ")
    assert b'"error"' in client.written[-1]
    assert b"secret" not in b"".join(client.written)


def test_what_is_no_event_is_the_apps_error() -> None:
    async def events() -> AsyncIterator[Any]:
        yield 7

    with pytest.raises(TypeError, match="not int"):
        deliver(EventStream(events()), Client())


def test_an_event_that_no_stream_can_carry_writes_nothing_of_it() -> None:
    client = Client()
    with pytest.raises(InvalidEvent):
        deliver(EventStream(one(ServerSentEvent("x", event="a\nb"))), client)

    assert b"x" not in client.written[-1]


async def one(event: Event) -> AsyncIterator[Event]:
    yield event


def test_a_lost_connection_gets_no_end() -> None:
    client = Client()

    async def events() -> AsyncIterator[Event]:
        yield "a"
        client.is_lost = True
        yield "b"

    with pytest.raises(ConnectionLostError):
        deliver(EventStream(events()), client)
    assert client.written == [b": open\n", b"data: a\n\n"]


def test_a_cancelled_stream_is_cancelled() -> None:
    """By SIGTERM, say: what was interrupted here is not taken for the stream's own end."""

    async def run() -> None:
        body: Any = response(EventStream(ticks(1000))).body
        task = asyncio.ensure_future(body(Client()))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    virtually(run())


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (StreamOutcome.COMPLETED, "completed"),
        (StreamOutcome.FAILED, "error"),
        (StreamOutcome.LOST, "lost"),
        (StreamOutcome.STALLED, "stalled"),
        (StreamOutcome.SHUTDOWN, "shutdown"),
    ],
)
def test_on_end_is_told_the_reason(outcome: StreamOutcome, reason: str) -> None:
    told: list[str] = []

    async def on_end(given: str) -> None:
        told.append(given)

    async def run() -> None:
        for listener in (on_end, told.append):
            answer = response(EventStream(ticks(0), on_end=listener))
            assert answer.finish is not None
            await answer.finish(outcome, None)

    virtually(run())
    assert told == [reason, reason]


def test_on_end_is_told_that_the_time_was_up() -> None:
    told: list[str] = []

    async def run() -> None:
        answer = response(EventStream(ticks(1000), on_end=told.append), 60)
        body: Any = answer.body
        await body(Client())
        assert answer.finish is not None
        await answer.finish(StreamOutcome.COMPLETED, None)

    virtually(run())
    assert told == ["rotate"]


def test_headers_of_the_apps_own_replace_the_default_ones() -> None:
    answer = response(EventStream(ticks(0), headers={"Cache-Control": "no-store", "x-a": "1"}))

    assert list(answer.headers or ()) == [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("x-accel-buffering", "no"),
        ("Cache-Control", "no-store"),
        ("x-a", "1"),
    ]


@pytest.mark.parametrize("events", ["text", b"bytes", {"a": 1}])
def test_one_event_in_the_place_of_many_is_refused(events: Any) -> None:
    with pytest.raises(TypeError, match="not one event"):
        EventStream(events)


def test_a_heartbeat_needs_a_time() -> None:
    with pytest.raises(ValueError, match="heartbeat_seconds"):
        EventStream(ticks(0), heartbeat_seconds=0)


def test_headers_may_be_pairs_that_can_be_read_once() -> None:
    answer = response(EventStream(ticks(0), headers=iter([("Cache-Control", "no-store")])))

    assert list(answer.headers or ())[-1] == ("Cache-Control", "no-store")
    assert "no-cache, no-transform" not in dict(answer.headers or ()).values()


def test_a_source_that_returns_on_its_cancellation_ends_with_the_same_event() -> None:
    async def tidy() -> AsyncIterator[Event]:
        try:
            while True:
                await asyncio.sleep(1000)
                yield "late"
        except asyncio.CancelledError:
            return

    client = Client()
    deliver(EventStream(tidy(), heartbeat_seconds=1000), client, seconds=60)

    assert client.written[-1].startswith(b"event: end\n")


class Source:
    """Events that say how often they were closed."""

    def __init__(self) -> None:
        self.closed = 0

    def __aiter__(self) -> AsyncIterator[Event]:
        return ticks(0)

    async def aclose(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("is_lost", [True, False], ids=["first comment not taken", "not begun"])
def test_the_events_of_an_answer_that_never_began_are_closed(is_lost: bool) -> None:
    source = Source()
    client = Client()
    client.is_lost = is_lost

    async def run() -> None:
        body: Any = response(EventStream(source)).body
        if is_lost:
            with pytest.raises(ConnectionLostError):
                await body(client)
        await close_body(body)
        await close_body(body)

    virtually(run())
    assert source.closed == 1
