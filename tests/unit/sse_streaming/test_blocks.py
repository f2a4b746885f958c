"""Blocks of one connection and the ids that they carry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lambdas.sse_streaming.blocks import Block, BlockWriter
from lambdas.sse_streaming.connections.lease import Lease
from lambdas.sse_streaming.endings import Ending
from lambdas.sse_streaming.feed.feed import Feed
from lambdas.sse_streaming.feed.items import Page
from lambdas.sse_streaming.feed.position import FreshStart, Position, PositionCodec
from lambdas.sse_streaming.feed.position_clock import Reading
from lambdas.sse_streaming.feed.request import StreamFilter
from lambdas.sse_streaming.feed.resume import understand
from tests.fakes.memory_aws import make_item
from tests.fakes.streams import Event, parse_block

NOW = 1_795_000_000_000
CODEC = PositionCodec(key=b"0123456789abcdef", table="items", index="by_sentiment")
PRESENTED = CODEC.mint(
    Position(settled_ms=NOW - 5000, block=9, session_id="01" * 9, sequence=4, slot=7)
)


def writer(presented: str | None = None) -> BlockWriter:
    arrival = understand(
        presented, CODEC, now=Reading(NOW, NOW, NOW), overlap_ms=10_000, replay_ms=3_600_000
    )
    return BlockWriter(CODEC, arrival, trace=("a" * 32, "b" * 16), arrived_ms=NOW)


def opened(presented: str | None = None) -> BlockWriter:
    blocks = writer(presented)
    blocks.lease = Lease("7.abc", 7, "02" * 9, 5)
    blocks.feed = Feed(StreamFilter(("positive",)), overlap_ms=10_000, settled_ms=NOW - 10_000)
    return blocks


def event_of(block: Block) -> Event:
    event = parse_block(block.data)
    assert event is not None
    return event


def last(blocks: BlockWriter, name: str = "busy", event_id: str | None = None) -> Event:
    ending = Ending(name, "capacity", 7000)
    return event_of(blocks.last(ending, limit=15, started_ns=NOW * 10**6, event_id=event_id))


def test_a_control_block_carries_the_position_as_it_is() -> None:
    blocks = opened()

    event = event_of(blocks.control("ready", {"a": 1}, started_ns=0, retry_ms=3000))

    assert (event.name, event.data, event.retry_ms) == ("ready", {"a": 1}, 3000)
    assert CODEC.read(event.id) == Position(
        settled_ms=NOW - 10_000,
        block=1,
        session_id="02" * 9,
        sequence=5,
        slot=7,
        trace_id="a" * 32,
        span_id="b" * 16,
    )


def test_every_id_is_unique_while_the_position_stands_still() -> None:
    blocks = opened()

    ids = [event_of(blocks.control("ready", {}, started_ns=0)).id for _ in range(100)]

    assert len(set(ids)) == 100
    assert {replace(CODEC.read(one), block=0) for one in ids} == {
        replace(CODEC.read(ids[0]), block=0)
    }


@pytest.mark.parametrize(
    ("published_ms", "latency_ms", "is_live"),
    [(NOW - 60_000, 60_400, False), (NOW, 400, True), (NOW + 9_000, 0, True)],
)
def test_an_item_says_how_late_it_is(published_ms: int, latency_ms: int, is_live: bool) -> None:
    """What is older than the connection says nothing about this service."""
    block = opened().item(make_item("a", published_ms), started_ns=(NOW + 400) * 10**6)

    assert (block.event, block.latency_ms, block.is_live) == ("sentiment", latency_ms, is_live)
    assert event_of(block).data["latency_ms"] == latency_ms


def test_an_items_id_names_it_as_sent() -> None:
    blocks = opened()
    feed = blocks.feed
    assert feed is not None
    feed.begin(NOW)
    feed.absorb({"positive": Page((make_item("a", NOW - 5),), None)})
    item = feed.take()
    assert item is not None

    position = CODEC.read(event_of(blocks.item(item, started_ns=NOW * 10**6)).id)

    assert position.hashes == feed.recent_hashes() != ()


def test_a_refusal_says_the_limit_and_its_retry_twice() -> None:
    """Browsers obey only the field, programs read the data."""
    event = last(writer())

    assert event.data == {"reason": "capacity", "limit": 15, "retry_ms": 7000}
    assert event.retry_ms == 7000


def test_an_end_says_no_limit() -> None:
    assert last(opened(), "end").data == {"reason": "capacity", "retry_ms": 7000}


def test_a_refused_resume_gets_its_own_id_back() -> None:
    assert last(writer(PRESENTED)).id == PRESENTED


def test_a_refused_first_visit_gets_an_id_that_still_counts_as_one() -> None:
    position = CODEC.read(last(writer()).id)

    assert position.fresh is FreshStart.FIRST
    assert (position.sequence, position.slot, position.hashes) == (0, None, ())


def test_a_refused_reset_is_told_again_next_time() -> None:
    position = CODEC.read(last(writer("no id of ours")).id)

    assert position.fresh is FreshStart.MALFORMED


def test_an_end_with_a_record_carries_exactly_its_id() -> None:
    blocks = opened()
    recorded = blocks.mint(has_record=True)

    event = last(blocks, "end", event_id=recorded)

    assert event.id == recorded
    assert CODEC.read(recorded).has_record
