"""Event blocks of one connection: what they say, and the position id that each carries."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lambda_streaming.clock import Clock
from lambda_streaming.sse import encode_event, encode_json_event, to_json
from lambda_streaming.tracing.header import hex_trace_id
from lambda_streaming.tracing.step import Trace
from lambdas.sse_streaming.connections.lease import Lease
from lambdas.sse_streaming.endings import Ending
from lambdas.sse_streaming.feeds.feed import Feed
from lambdas.sse_streaming.feeds.items import Item, item_json
from lambdas.sse_streaming.feeds.position import PositionCodec
from lambdas.sse_streaming.feeds.resume import Resume
from lambdas.sse_streaming.sessions import SessionRecord


class Block(NamedTuple):
    """One block, ready to be written. `started_ns` is when it began to be made.

    `is_live` is False for an item that is older than the connection (backfill, replay): its latency
    says nothing about this service.
    """

    data: bytes
    event: str
    started_ns: int
    latency_ms: int | None = None
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """What an open stream has: a slot, and a place in the feed."""

    lease: Lease
    feed: Feed


class UnopenedBlocks:
    """A stream's blocks before it has a slot and a position: it can only send a last one."""

    duplicates_dropped = 0

    def __init__(
        self, codec: PositionCodec, resume: Resume, trace: Trace, clock: Clock, item_event: str
    ) -> None:
        self._codec = codec
        self._item_event = item_event
        self._resume = resume
        self._trace = trace
        self._clock = clock
        self._arrived_ms = clock.wall_ms()

    def open(self, opened: Opened, *, retry_ms: int) -> BlockWriter:
        return BlockWriter(
            self._codec,
            self._resume,
            self._trace,
            self._clock,
            opened,
            item_event=self._item_event,
            arrived_ms=self._arrived_ms,
            retry_ms=retry_ms,
        )

    def next(self) -> Block | None:
        return None

    def record(self) -> SessionRecord | None:
        return None

    def last(self, ending: Ending, event_id: str | None = None) -> Block:
        started_ns = self._clock.wall_ns()
        ids = _trace_ids(self._trace)
        unopened_id = self._resume.unopened_id(self._codec, self._arrived_ms, *ids)
        return _last_block(ending, event_id or unopened_id, started_ns)


class BlockWriter:
    """The blocks of an open stream. Every id is unique in its connection: it carries a counter."""

    def __init__(
        self,
        codec: PositionCodec,
        resume: Resume,
        trace: Trace,
        clock: Clock,
        opened: Opened,
        *,
        item_event: str,
        arrived_ms: int,
        retry_ms: int,
    ) -> None:
        self._clock = clock
        self._item_event = item_event
        self._arrived_ms = arrived_ms
        self._feed = opened.feed
        trace_id, span_id = _trace_ids(trace)
        self._ids = codec.ids_of(
            opened.lease.session_id,
            opened.lease.sequence,
            slot=opened.lease.slot,
            trace_id=trace_id,
            span_id=span_id,
        )
        self._count = 0
        ready: dict[str, object] = {
            "connection_id": opened.lease.connection_id,
            "session_id": opened.lease.session_id,
            "sequence": opened.lease.sequence,
            "trace_id": trace.trace_id,
            "resumed": resume.presented is not None,
        }
        self._greeting: deque[tuple[str, Mapping[str, object], int | None]] = deque(
            [("ready", ready, retry_ms)]
        )
        if resume.reset is not None:
            self._greeting.append(("reset", {"reason": resume.reset.value}, None))

    @property
    def duplicates_dropped(self) -> int:
        return self._feed.duplicates_dropped

    def next(self) -> Block | None:
        """The next block that can be written; None while there is none."""
        if self._greeting:
            return self._greet(*self._greeting.popleft())
        item = self._feed.take()
        return None if item is None else self._item(item)

    def record(self) -> SessionRecord | None:
        """The session's record, to be saved before an end after which nothing may repeat; None
        where the last id carries the whole window."""
        if not self._feed.overflows_id:
            return None
        long_hashes, short_hashes = self._feed.window_hashes()
        return SessionRecord(self._mint(has_record=True), tuple(long_hashes), tuple(short_hashes))

    def last(self, ending: Ending, event_id: str | None = None) -> Block:
        """`event_id` is the id that a session record was written for."""
        started_ns = self._clock.wall_ns()
        return _last_block(ending, event_id or self._mint(), started_ns)

    def _greet(self, event: str, data: Mapping[str, object], retry_ms: int | None) -> Block:
        started_ns = self._clock.wall_ns()
        encoded = encode_event(to_json(data), event=event, event_id=self._mint(), retry_ms=retry_ms)
        return Block(encoded, event, started_ns)

    def _item(self, item: Item) -> Block:
        started_ns = self._clock.wall_ns()
        latency_ms = max(0, started_ns // 1_000_000 - item.published_at_ms)
        encoded = encode_json_event(item_json(item, latency_ms), self._item_event, self._mint())
        is_live = item.published_at_ms >= self._arrived_ms
        return Block(encoded, self._item_event, started_ns, latency_ms, is_live)

    def _mint(self, *, has_record: bool = False) -> str:
        """The id of the position as it is now."""
        self._count += 1
        feed = self._feed
        return self._ids.mint(
            feed.settled_ms, self._count, feed.recent_hashes(), has_record=has_record
        )


def _last_block(ending: Ending, event_id: str, started_ns: int) -> Block:
    data: dict[str, object] = {"reason": ending.reason, "retry_ms": ending.retry_ms}
    if ending.limit is not None:
        data["limit"] = ending.limit
    encoded = encode_event(
        to_json(data), event=ending.event, event_id=event_id, retry_ms=ending.retry_ms
    )
    return Block(encoded, ending.event, started_ns)


def _trace_ids(trace: Trace) -> tuple[str | None, str | None]:
    """Trace id and root span id in hex; None where nothing is recorded."""
    if trace.trace_id is None or trace.span_id is None:
        return None, None
    return hex_trace_id(trace.trace_id), trace.span_id
