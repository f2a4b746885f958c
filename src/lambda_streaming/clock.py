"""Time as an argument: the wall clock that positions and leases use, and a steady one."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time may step; steady time never does and has no meaning beyond differences."""

    def wall_ms(self) -> int: ...
    def wall_ns(self) -> int: ...
    def steady_seconds(self) -> float: ...


class SystemClock:
    """The machine's own clocks."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def wall_ns(self) -> int:
        return time.time_ns()

    def steady_seconds(self) -> float:
        return time.monotonic()
