"""Why a stream ends, and when its client may come back."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

_RETRY_MS = {
    "rotate": (200, 1_000),
    "deadline": (200, 1_000),
    "bytes": (200, 1_000),
    "error": (1_000, 5_000),
    "evicted": (1_000, 5_000),
    "superseded": (1_000, 5_000),
    "drain": (5_000, 30_000),
    "cancelled": (30_000, 60_000),
}
_BUSY_RETRY_MS = (5_000, 15_000)
_PERMANENT_FAULT_RETRY_MS = (30_000, 60_000)

_KEEPS_RECORD = frozenset({"rotate", "deadline", "bytes", "cancelled", "drain"})
"""Ends after which nothing may repeat. A superseded or evicted stream writes no record: its
session has gone on elsewhere, or may have."""


@dataclass(frozen=True, slots=True)
class Ending:
    """`event` is the name of the last block. `error` goes into the trailers after it."""

    event: str
    reason: str
    retry_ms: int
    error: Exception | None = None

    @property
    def keeps_record(self) -> bool:
        return self.event == "end" and self.reason in _KEEPS_RECORD


def end(reason: str, random: Random) -> Ending:
    """An orderly end; the client comes back after a jittered while."""
    return Ending("end", reason, random.randint(*_RETRY_MS[reason]))


def fail(error: Exception, random: Random, *, is_permanent: bool) -> Ending:
    """An end by a defect, or by a fault that only a change of the deployment can mend."""
    bounds = _PERMANENT_FAULT_RETRY_MS if is_permanent else _RETRY_MS["error"]
    return Ending("end", "error", random.randint(*bounds), error)


def busy(reason: str, random: Random) -> Ending:
    """A refusal that passes: the one thing a browser's EventSource comes back from by itself."""
    return Ending("busy", reason, random.randint(*_BUSY_RETRY_MS))
