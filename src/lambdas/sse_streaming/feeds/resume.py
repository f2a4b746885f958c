"""What a presented event id means for a new stream: where it goes on, or why it cannot. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.sse_streaming.feeds.position import (
    FreshStart,
    Position,
    PositionCodec,
    ResetReason,
    UnreadableId,
)
from lambdas.sse_streaming.feeds.position_clock import ClockReading
from lambdas.sse_streaming.sessions import new_session_id


@dataclass(frozen=True, slots=True)
class Presented:
    """An id that can be resumed from, as it was presented."""

    event_id: str
    position: Position


@dataclass(frozen=True, slots=True)
class Resume:
    """How a stream begins.

    `presented` is where to resume, None for a fresh start; `reset` says why an id cannot be
    honoured. `previous` is the (trace id, root span id) of the stream that minted the id.
    `resumed_slot` is the slot of the session, only from an id that could not have been forged.
    """

    session_id: str
    sequence: int
    presented: Presented | None = None
    reset: ResetReason | None = None
    previous: tuple[str, str] | None = None
    resumed_slot: int | None = None

    def unopened_id(
        self, codec: PositionCodec, now_ms: int, trace_id: str | None, span_id: str | None
    ) -> str:
        """The id of a stream that ends before it has a position: its client comes back as if it
        had not come at all."""
        if self.presented is not None:
            return self.presented.event_id
        return codec.mint(
            Position(
                settled_ms=now_ms,
                block=1,
                session_id=self.session_id,
                sequence=self.sequence - 1,
                trace_id=trace_id,
                span_id=span_id,
                fresh=FreshStart.FIRST if self.reset is None else FreshStart[self.reset.name],
            )
        )


def read_last_event_id(
    last_event_id: str | None,
    codec: PositionCodec,
    *,
    now: ClockReading,
    overlap_ms: int,
    replay_ms: int,
) -> Resume:
    """Never raises: the id comes from the client and can be anything."""
    if last_event_id is None:
        return Resume(new_session_id(), 1)
    try:
        position = codec.read(last_event_id)
    except UnreadableId as unreadable:
        return Resume(new_session_id(), 1, reset=unreadable.reason)
    previous = None
    if position.trace_id is not None and position.span_id is not None:
        previous = position.trace_id, position.span_id
    if position.fresh is not None:
        reset, is_resumable = position.fresh.reset_reason, False
    else:
        reset = position.reset_reason(
            earliest_ms=now.earliest_ms,
            latest_ms=now.latest_ms,
            overlap_ms=overlap_ms,
            replay_ms=replay_ms,
        )
        is_resumable = reset is None
    return Resume(
        session_id=position.session_id,
        sequence=position.sequence + 1,
        presented=Presented(last_event_id, position) if is_resumable else None,
        reset=reset,
        previous=previous,
        resumed_slot=position.slot if codec.trusted else None,
    )
