"""How a client arrives: for the first time, back at a position, or with an id that is no use."""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.sse_streaming.connections.lease import AcquireRequest, new_session_id
from lambdas.sse_streaming.feed.position import (
    FreshStart,
    Position,
    PositionCodec,
    ResetReason,
    UnreadableId,
)
from lambdas.sse_streaming.feed.position_clock import Reading


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the presented id means.

    `position` is where to resume, None for a fresh start; `reset` says why a presented id cannot
    be honoured. `previous` is the (trace id, root span id) of the stream that minted the id.
    """

    session_id: str
    sequence: int
    presented_id: str | None = None
    position: Position | None = None
    reset: ResetReason | None = None
    previous: tuple[str, str] | None = None
    resumed_slot: int | None = None

    @property
    def fresh_start(self) -> FreshStart:
        """What an id has to say that stands for this arrival without a position."""
        return FreshStart.FIRST if self.reset is None else FreshStart[self.reset.name]

    def acquire_request(self) -> AcquireRequest:
        return AcquireRequest(self.session_id, self.sequence, self.resumed_slot)


def understand(
    presented_id: str | None,
    codec: PositionCodec,
    *,
    now: Reading,
    overlap_ms: int,
    replay_ms: int,
) -> Arrival:
    """Read the presented id. Never raises: an id is the client's word, and can be anything."""
    if presented_id is None:
        return Arrival(new_session_id(), 1)
    try:
        position = codec.read(presented_id)
    except UnreadableId as unreadable:
        return Arrival(new_session_id(), 1, reset=unreadable.reason)
    previous = None
    if position.trace_id is not None and position.span_id is not None:
        previous = position.trace_id, position.span_id
    if position.fresh is not None:
        reset, resumable = position.fresh.reset_reason, False
    else:
        reset = position.lost_to(
            earliest_ms=now.earliest_ms,
            latest_ms=now.latest_ms,
            overlap_ms=overlap_ms,
            replay_ms=replay_ms,
        )
        resumable = reset is None
    return Arrival(
        session_id=position.session_id,
        sequence=position.sequence + 1,
        presented_id=presented_id,
        position=position if resumable else None,
        reset=reset,
        previous=previous,
        resumed_slot=position.slot if codec.trusted else None,
    )
