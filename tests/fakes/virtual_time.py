"""An event loop whose clock jumps: minutes of a stream in milliseconds of a test.

Nothing is slept. When every task waits for a timer, time moves to the next one.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH_SECONDS = 1_795_000_000.0
"""Where the virtual wall clock begins (November 2026)."""


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: reports what is ready now, or lets the time pass that it was to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("every task waits for something that no timer will bring")
        self.now += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class VirtualClock:
    """The package's Clock on a virtual loop; `skew_ms` is this machine's error."""

    def __init__(self, loop: asyncio.AbstractEventLoop, skew_ms: int = 0) -> None:
        self._loop = loop
        self._skew_ms = skew_ms

    def set_wall(self, step_ms: int) -> None:
        """Somebody sets the wall clock; the steady one goes on."""
        self._skew_ms += step_ms

    def wall_ms(self) -> int:
        return round((EPOCH_SECONDS + self._loop.time()) * 1000) + self._skew_ms

    def wall_ns(self) -> int:
        return self.wall_ms() * 1_000_000

    def wall_seconds(self) -> float:
        return self.wall_ms() / 1000

    def steady_seconds(self) -> float:
        return self._loop.time()


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Like asyncio.run, on a loop of virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def run_in_real_time(main: Coroutine[Any, Any, T]) -> T:
    """Like asyncio.run, which would take its event loop from pytest-asyncio without closing it: for
    what happens on threads, which know no virtual time."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(main)
