"""Why and when a stream ends, and when its client may come back."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from random import Random


class EndReason(enum.StrEnum):
    """Why the server closes an open stream; `reason` of the `end` event."""

    ROTATE = "rotate"
    DEADLINE = "deadline"
    BYTES = "bytes"
    ERROR = "error"
    EVICTED = "evicted"
    SUPERSEDED = "superseded"
    DRAIN = "drain"
    CANCELLED = "cancelled"


_RETRY_MS = {
    EndReason.ROTATE: (200, 1_000),
    EndReason.DEADLINE: (200, 1_000),
    EndReason.BYTES: (200, 1_000),
    EndReason.ERROR: (1_000, 5_000),
    EndReason.EVICTED: (1_000, 5_000),
    EndReason.SUPERSEDED: (1_000, 5_000),
    EndReason.DRAIN: (5_000, 30_000),
    EndReason.CANCELLED: (30_000, 60_000),
}
_BUSY_RETRY_MS = (5_000, 15_000)
_PERMANENT_FAULT_RETRY_MS = (30_000, 60_000)

_KEEPS_RECORD = frozenset(
    {
        EndReason.ROTATE,
        EndReason.DEADLINE,
        EndReason.BYTES,
        EndReason.CANCELLED,
        EndReason.DRAIN,
    }
)
"""Ends after which nothing may repeat. A superseded or evicted stream writes no record: its
session has gone on elsewhere, or may have."""

SHORTEST_ROTATION = 0.8
"""The earliest rotation, as a share of SSE_MAX_STREAM_SECONDS: streams that began together must not
all come back together."""

FINISH_SECONDS = 2.0
_MIN_FINISH_SECONDS = 0.2
"""For release and the last metrics, with the client already served."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ends: its last block, `end` or `busy`, and the error for the trailers. `limit`
    is the connection limit, told in a `busy`."""

    event: str
    reason: str
    retry_ms: int
    limit: int | None = None
    error: Exception | None = None

    @property
    def keeps_record(self) -> bool:
        return self.event == "end" and self.reason in _KEEPS_RECORD


def end(reason: EndReason, random: Random) -> Ending:
    """An orderly end; the client comes back after a jittered while."""
    return Ending("end", reason.value, random.randint(*_RETRY_MS[reason]))


def fail(error: Exception, random: Random, *, is_permanent: bool) -> Ending:
    """An end after a defect, or after a fault that only a change of the deployment mends."""
    bounds = _PERMANENT_FAULT_RETRY_MS if is_permanent else _RETRY_MS[EndReason.ERROR]
    return Ending("end", EndReason.ERROR.value, random.randint(*bounds), error=error)


def busy(reason: str, limit: int, random: Random) -> Ending:
    """A transient refusal. It is a stream that ends, since a browser's EventSource reconnects after
    one, and never after an error status."""
    return Ending("busy", reason, random.randint(*_BUSY_RETRY_MS), limit)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When a stream ends by itself, on the steady clock. `deadline` is the invocation's.

    `write_deadline` is when a blocked write has to be given up so that release and flush still
    fit in.
    """

    began: float
    ends_at: float
    reason: EndReason
    deadline: float | None = None
    write_deadline: float | None = None

    @classmethod
    def plan(
        cls,
        now: float,
        deadline: float | None,
        max_stream_seconds: float,
        margin_seconds: float,
        random: Random,
    ) -> Lifetime:
        rotates_at = now + max_stream_seconds * random.uniform(SHORTEST_ROTATION, 1.0)
        if deadline is None:
            return cls(now, rotates_at, EndReason.ROTATE)
        # Of an invocation shorter than twice the margin, half is for the stream.
        margin_seconds = min(margin_seconds, (deadline - now) / 2)
        latest_end = deadline - margin_seconds
        write_deadline = deadline - margin_seconds / 2
        if latest_end < rotates_at:
            return cls(now, latest_end, EndReason.DEADLINE, deadline, write_deadline)
        return cls(now, rotates_at, EndReason.ROTATE, deadline, write_deadline)

    def finish_seconds(self, now: float, flush_seconds: float) -> float:
        """How long finishing may take, so that a flush still fits in before the deadline."""
        if self.deadline is None:
            return FINISH_SECONDS
        left = self.deadline - now - flush_seconds
        return min(FINISH_SECONDS, max(_MIN_FINISH_SECONDS, left))
