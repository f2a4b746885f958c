"""How often a stream polls."""

from __future__ import annotations

from random import Random

_IDLE_AFTER_SECONDS = 10.0
_IDLE_FACTOR = 1.5
_MAX_BACKOFF_DOUBLINGS = 6


class PollPace:
    """The pauses between polls: `poll_seconds` while items come, growing up to `poll_max_seconds`
    while none do, and a jittered back-off after failures. A new stream counts as idle."""

    def __init__(
        self, poll_seconds: float, poll_max_seconds: float, random: Random, now_seconds: float
    ) -> None:
        self._shortest = poll_seconds
        self._longest = poll_max_seconds
        self._random = random
        self._interval = poll_seconds
        self._failures = 0
        self._last_match = now_seconds - _IDLE_AFTER_SECONDS

    def succeeded(self, new_items: int, now_seconds: float) -> None:
        self._failures = 0
        if new_items:
            self._last_match = now_seconds

    def next_interval(self, now_seconds: float) -> float:
        """Seconds from the beginning of the last poll to the beginning of the next."""
        if now_seconds - self._last_match < _IDLE_AFTER_SECONDS:
            self._interval = self._shortest
        else:
            self._interval = min(self._interval * _IDLE_FACTOR, self._longest)
        return self._interval

    def failed(self) -> float:
        """Seconds to wait before the next try."""
        self._failures += 1
        doublings = min(self._failures, _MAX_BACKOFF_DOUBLINGS)
        longest = min(self._shortest * (1 << doublings), self._longest)
        return max(self._shortest, longest * self._random.uniform(0.5, 1.0))
