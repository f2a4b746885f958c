"""A sign of life while something takes long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_EVERY_SECONDS = 2.0


async def with_progress(what: str, work: Awaitable[T], say: Callable[[str], None]) -> T:
    """Awaits `work` and says a line every two seconds: a silent terminal looks broken."""
    task = asyncio.ensure_future(work)
    waited_seconds = 0.0
    try:
        while not (await asyncio.wait({task}, timeout=_EVERY_SECONDS))[0]:
            waited_seconds += _EVERY_SECONDS
            say(f"{what}: still at it after {waited_seconds:.0f} s …")
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
