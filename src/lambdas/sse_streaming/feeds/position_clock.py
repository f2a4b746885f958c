"""The clock that positions are counted on: the wall clock's first reading, then steady time.

"Everything published before F has been dealt with" is true only while F is not ahead of the
writers' time, and a machine's wall clock may be wrong, or be set, while a stream runs. The steady
clock is never set. So a stream asks its wall clock once, holds the answer against the front door's
time stamp of the request, and counts on in steady time. Both clocks are read at every poll; a
difference between them that changes is a step of the wall clock.

The front door's time stamp is AWS's own and is believed. Without one, either of two times may be
right. `earliest_ms` is the lower one: what it settles is settled by both. `latest_ms` is the higher
one: an item stamped by a correct clock is due by then.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambda_streaming.clock import Clock

STEP_MS = 1000
"""Smaller differences are what healthy machines have; the overlap covers them."""
COLD_START_MS = 5000
"""How far behind this machine's clock the time stamp of an environment's first request may be."""
_MAX_DISAGREEMENT_MS = 300_000
"""AWS refuses signatures that are further off: no stream runs on such a clock. Beyond it the time
stamp is wrong (a saved event that is invoked again)."""
_MAX_READING_SECONDS = 0.02
_MAX_READINGS = 5


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The time is between `earliest_ms` and `latest_ms`, which are equal unless clocks disagree.

    `began_ms` is the earliest time at which the stream may have begun; `goes_back` says that the
    last reading had it later. `step_ms` is by how much the wall clock was set since then.
    """

    earliest_ms: int
    latest_ms: int
    began_ms: int
    step_ms: int = 0
    goes_back: bool = False


class PositionClock:
    """One stream's time. `requested_ms` is when the front door received the request, if known; in
    a cold start the environment was made since then.

    With it a step of the wall clock moves nothing. Without it a clock that is set back may have
    been wrong from the beginning: `earliest_ms` goes back with it.
    """

    def __init__(
        self, clock: Clock, requested_ms: int | None = None, *, is_cold_start: bool = False
    ) -> None:
        self._clock = clock
        wall_ms, steady_ms = self._read_both()
        self._ahead_ms = (
            wall_ms - steady_ms
        )  # by how much the wall clock is ahead of the steady one
        self._earliest_ahead_ms = self._ahead_ms
        self._began_steady_ms = steady_ms
        self.disagreement_ms = 0
        """By how much this machine's clock is ahead of the front door's; 0 where they agree."""
        difference_ms = 0 if requested_ms is None else wall_ms - requested_ms
        self._is_confirmed = requested_ms is not None and abs(difference_ms) <= _MAX_DISAGREEMENT_MS
        latest_difference_ms = COLD_START_MS if is_cold_start else STEP_MS
        if self._is_confirmed and not -STEP_MS <= difference_ms <= latest_difference_ms:
            self._earliest_ahead_ms -= difference_ms
            self.disagreement_ms = difference_ms

    def read(self) -> ClockReading:
        """The time now, and whether the wall clock was set since the last call."""
        wall_ms, steady_ms = self._read_both()
        step_ms = wall_ms - steady_ms - self._ahead_ms
        if abs(step_ms) < STEP_MS:
            step_ms = 0
        self._ahead_ms += step_ms
        believed_ms = self._earliest_ahead_ms
        if not self._is_confirmed:
            self._earliest_ahead_ms = min(self._earliest_ahead_ms, self._ahead_ms)
        return ClockReading(
            earliest_ms=steady_ms + self._earliest_ahead_ms,
            latest_ms=steady_ms + max(self._earliest_ahead_ms, self._ahead_ms),
            began_ms=self._began_steady_ms + self._earliest_ahead_ms,
            step_ms=step_ms,
            goes_back=self._earliest_ahead_ms < believed_ms,
        )

    def _read_both(self) -> tuple[int, int]:
        """Wall and steady milliseconds of one instant: a process that was held up between the two
        readings reads again."""
        steady = self._clock.steady_seconds()
        for _ in range(_MAX_READINGS):
            wall_ms, before = self._clock.wall_ms(), steady
            steady = self._clock.steady_seconds()
            if steady - before <= _MAX_READING_SECONDS:
                break
        return wall_ms, round(steady * 1000)
