"""What a client asks of the feed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

SENTIMENTS = ("negative", "neutral", "positive")


@dataclass(frozen=True, slots=True)
class StreamFilter:
    """Which items a stream wants. No tickers means any item, with or without one."""

    sentiments: tuple[str, ...] = SENTIMENTS
    tickers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A validated request for a stream. `last_event_id` is as presented, or None; `received_ms` is
    the front door's time stamp, where it gives one."""

    filter: StreamFilter
    backfill: int
    last_event_id: str | None
    received_ms: int | None = None
