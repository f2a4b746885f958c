"""Blocks of one connection and the ids that they carry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lambda_streaming.tracing.step import Trace
from lambdas.sse_streaming.connections.lease import Lease
from lambdas.sse_streaming.endings import Ending
from lambdas.sse_streaming.feeds.feed import Feed
from lambdas.sse_streaming.feeds.items import Item, Page
from lambdas.sse_streaming.feeds.position import FreshStart, Position, PositionCodec, item_hash
from lambdas.sse_streaming.feeds.position_clock import ClockReading
from lambdas.sse_streaming.feeds.request import StreamFilter
from lambdas.sse_streaming.feeds.resume import read_last_event_id
from lambdas.sse_streaming.streams.blocks import Block, BlockWriter, Opened, UnopenedBlocks
from tests.fakes.memory_aws import make_item
from tests.fakes.streams import Event, parse_block

NOW = 1_795_000_000_000
CODEC = PositionCodec(key=b"0123456789abcdef", table="items", index="by_sentiment")
TRACE_ID = "1-5759e988-bd862e3fe1be46a994272793"
END = Ending("end", "rotate", 700)
PRESENTED = CODEC.mint(
    Position(settled_ms=NOW - 5000, block=9, session_id="01" * 9, sequence=4, slot=7)
)


class FixedClock:
    """Standing at a moment after the client has arrived."""

    def __init__(self, now_ms: int = NOW) -> None:
        self.now_ms = now_ms

    def wall_ms(self) -> int:
        return self.now_ms

    def wall_ns(self) -> int:
        return self.now_ms * 1_000_000

    def steady_seconds(self) -> float:
        return self.now_ms / 1000


class NamedTrace(Trace):
    """Records nothing, and has a root span's id."""

    span_id = "b" * 16


def unopened(presented: str | None = None, clock: FixedClock | None = None) -> UnopenedBlocks:
    resume = read_last_event_id(
        presented, CODEC, now=ClockReading(NOW, NOW, NOW), overlap_ms=10_000, replay_ms=3_600_000
    )
    return UnopenedBlocks(CODEC, resume, NamedTrace(TRACE_ID), clock or FixedClock(), "sentiment")


def make_feed(*items: Item) -> Feed:
    feed = Feed(StreamFilter(("positive",)), overlap_ms=10_000, settled_ms=NOW - 10_000)
    feed.begin(NOW)
    feed.absorb({"positive": Page(items, None)})
    return feed


def writer(
    *items: Item, presented: str | None = None, clock: FixedClock | None = None
) -> BlockWriter:
    opened = Opened(Lease("7.abc", 7, "02" * 9, 5), make_feed(*items))
    return unopened(presented, clock).open(opened, retry_ms=3000)


def items_of(blocks: BlockWriter) -> Iterator[Block]:
    while (block := blocks.next()) is not None:
        if block.event == "sentiment":
            yield block


def next_of(blocks: BlockWriter) -> Block:
    block = blocks.next()
    assert block is not None
    return block


def event_of(block: Block) -> Event:
    event = parse_block(block.data)
    assert event is not None
    return event


def refused(presented: str | None = None) -> Event:
    ending = Ending("busy", "capacity", 7000, limit=15)
    return event_of(unopened(presented).last(ending))


def test_an_open_stream_begins_with_ready_and_the_position_as_it_is() -> None:
    blocks = writer()

    event = event_of(next_of(blocks))

    assert (event.name, event.retry_ms) == ("ready", 3000)
    assert event.data == {
        "connection_id": "7.abc",
        "session_id": "02" * 9,
        "sequence": 5,
        "trace_id": TRACE_ID,
        "resumed": False,
    }
    assert CODEC.read(event.id) == Position(
        settled_ms=NOW - 10_000,
        block=1,
        session_id="02" * 9,
        sequence=5,
        slot=7,
        trace_id="5759e988bd862e3fe1be46a994272793",
        span_id="b" * 16,
    )
    assert blocks.next() is None


def test_a_resumed_stream_says_so() -> None:
    assert event_of(next_of(writer(presented=PRESENTED))).data["resumed"] is True


def test_why_an_id_cannot_be_honoured_is_told_right_after_ready() -> None:
    blocks = writer(make_item("a", NOW), presented="no id of ours")

    events = [event_of(next_of(blocks)) for _ in range(3)]

    assert [event.name for event in events] == ["ready", "reset", "sentiment"]
    assert (events[1].data, events[1].retry_ms) == ({"reason": "malformed"}, None)


def test_every_id_is_unique_while_the_position_stands_still() -> None:
    blocks = writer()

    ids = [event_of(blocks.last(END)).id for _ in range(100)]

    assert len(set(ids)) == 100
    assert {replace(CODEC.read(one), block=0) for one in ids} == {
        replace(CODEC.read(ids[0]), block=0)
    }


@pytest.mark.parametrize(
    ("published_ms", "latency_ms", "is_live"),
    [(NOW - 9_000, 9_400, False), (NOW, 400, True), (NOW + 9_000, 0, True)],
)
def test_an_item_says_how_late_it_is(published_ms: int, latency_ms: int, is_live: bool) -> None:
    """What is older than the connection says nothing about this service."""
    clock = FixedClock()
    blocks = writer(make_item("a", published_ms), clock=clock)
    clock.now_ms += 400

    (block,) = items_of(blocks)

    assert (block.event, block.latency_ms, block.is_live) == ("sentiment", latency_ms, is_live)
    assert event_of(block).data["latency_ms"] == latency_ms


def test_an_items_id_names_it_as_sent() -> None:
    (block,) = items_of(writer(make_item("a", NOW - 5)))

    position = CODEC.read(event_of(block).id)

    assert position.hashes == (item_hash("a", NOW - 5)[:5],)


def test_a_refusal_says_the_limit_and_its_retry_twice() -> None:
    """Browsers obey only the field, programs read the data."""
    event = refused()

    assert event.data == {"reason": "capacity", "limit": 15, "retry_ms": 7000}
    assert event.retry_ms == 7000


def test_an_end_says_no_limit() -> None:
    assert event_of(writer().last(END)).data == {"reason": "rotate", "retry_ms": 700}


def test_a_refused_resume_gets_its_own_id_back() -> None:
    assert refused(PRESENTED).id == PRESENTED


def test_a_refused_first_visit_gets_an_id_that_still_counts_as_one() -> None:
    position = CODEC.read(refused().id)

    assert position.fresh is FreshStart.FIRST
    assert (position.sequence, position.slot, position.hashes) == (0, None, ())


def test_a_refused_reset_is_told_again_next_time() -> None:
    position = CODEC.read(refused("no id of ours").id)

    assert position.fresh is FreshStart.MALFORMED


def test_an_end_with_a_record_carries_exactly_its_id() -> None:
    items = [make_item(f"i{number}", NOW + number) for number in range(8)]
    blocks = writer(*items)
    assert len(list(items_of(blocks))) == 8

    record = blocks.record()

    assert record is not None
    assert len(record.long_hashes) == 8
    assert CODEC.read(record.position_id).has_record
    assert event_of(blocks.last(END, record.position_id)).id == record.position_id


def test_what_fits_into_an_id_needs_no_record() -> None:
    items = [make_item(f"i{number}", NOW + number) for number in range(7)]
    blocks = writer(*items)
    assert len(list(items_of(blocks))) == 7

    assert blocks.record() is None
    assert unopened().record() is None


def test_a_stream_that_is_not_open_has_nothing_to_say_but_its_end() -> None:
    assert unopened().next() is None
