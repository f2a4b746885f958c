"""One waiter, woken by anyone on the same loop or by a deadline.

asyncio.Event with a timeout costs a task switch and a context manager per wait; a stream waits
once per batch, for a future of its own.
"""

from __future__ import annotations

import asyncio


class WakeUp:
    """Level-triggered: a `set` before `wait_until` is not lost. For one waiter."""

    def __init__(self) -> None:
        self._is_set = False
        self._future: asyncio.Future[None] | None = None

    def set(self) -> None:
        self._is_set = True
        self._release()

    async def wait_until(self, instant: float) -> bool:
        """True when it was set, False when `loop.time()` reached `instant` first."""
        if not self._is_set:
            loop = asyncio.get_running_loop()
            self._future = loop.create_future()
            timer = loop.call_at(instant, self._release)
            try:
                await self._future
            finally:
                timer.cancel()
                self._future = None
        was_set, self._is_set = self._is_set, False
        return was_set

    def _release(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)
