"""Event blocks of one connection: what they say, and the position id that each carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lambda_streaming.sse import encode_event, encode_json_event, to_json
from lambdas.sse_streaming.connections.lease import Lease
from lambdas.sse_streaming.endings import Ending
from lambdas.sse_streaming.feed.feed import Feed
from lambdas.sse_streaming.feed.items import Item, item_json
from lambdas.sse_streaming.feed.position import Position, PositionCodec
from lambdas.sse_streaming.feed.resume import Arrival


@dataclass(frozen=True, slots=True)
class Block:
    """One block, ready to be written. `started_ns` is when it began to be made.

    `is_live` is False for an item that is older than the connection (backfill, replay): how late
    it is says nothing about this service.
    """

    data: bytes
    event: str
    started_ns: int
    latency_ms: int | None = None
    is_live: bool = False


class BlockWriter:
    """Makes a connection's blocks. Every id is unique in its connection: it carries a counter.

    `feed` and `lease` are set when the stream has them; ids before that stand for the client's
    arrival, not for a position.
    """

    def __init__(
        self,
        codec: PositionCodec,
        arrival: Arrival,
        *,
        trace: tuple[str, str] | None,
        arrived_ms: int,
    ) -> None:
        self._codec = codec
        self._arrival = arrival
        self._trace_id = trace[0] if trace else None
        self._span_id = trace[1] if trace else None
        self._arrived_ms = arrived_ms
        self._count = 0
        self.feed: Feed | None = None
        self.lease: Lease | None = None

    def control(
        self,
        event: str,
        data: Mapping[str, object],
        *,
        started_ns: int,
        retry_ms: int | None = None,
        event_id: str | None = None,
    ) -> Block:
        """A block about the stream itself; it repeats the position."""
        encoded = encode_event(
            to_json(data), event=event, event_id=event_id or self.mint(), retry_ms=retry_ms
        )
        return Block(encoded, event, started_ns)

    def item(self, item: Item, *, started_ns: int) -> Block:
        """An item that the feed has just given out."""
        latency_ms = max(0, started_ns // 1_000_000 - item.published_at_ms)
        encoded = encode_json_event(item_json(item, latency_ms), "sentiment", self.mint())
        is_live = item.published_at_ms >= self._arrived_ms
        return Block(encoded, "sentiment", started_ns, latency_ms, is_live)

    def last(self, ending: Ending, *, limit: int, started_ns: int, event_id: str | None) -> Block:
        """`end` or `busy`. `event_id` is the id that a session record was written for."""
        data: dict[str, object] = {"reason": ending.reason, "retry_ms": ending.retry_ms}
        if ending.event == "busy":
            data["limit"] = limit
        if event_id is None and self.feed is None and self._arrival.position is not None:
            event_id = self._arrival.presented_id  # not a step from where the client stands
        return self.control(
            ending.event,
            data,
            started_ns=started_ns,
            retry_ms=ending.retry_ms,
            event_id=event_id,
        )

    def mint(self, *, has_record: bool = False) -> str:
        """The id of the position as it is now."""
        self._count += 1
        feed, lease = self.feed, self.lease
        if feed is None:
            return self._codec.mint(
                Position(
                    settled_ms=self._arrived_ms,
                    block=self._count,
                    session_id=self._arrival.session_id,
                    # One less: the client's next arrival is this one, over again.
                    sequence=self._arrival.sequence - 1,
                    trace_id=self._trace_id,
                    span_id=self._span_id,
                    fresh=self._arrival.fresh_start,
                )
            )
        return self._codec.mint(
            Position(
                settled_ms=feed.settled_ms,
                block=self._count,
                session_id=lease.session_id if lease else self._arrival.session_id,
                sequence=lease.sequence if lease else self._arrival.sequence,
                slot=lease.slot if lease else None,
                trace_id=self._trace_id,
                span_id=self._span_id,
                hashes=feed.recent_hashes(),
                has_record=has_record,
            )
        )
