"""Requests that are overtaken: each waits until a later one has been answered."""

from __future__ import annotations

import asyncio
from itertools import count


class Reordering:
    def __init__(self) -> None:
        self._numbers = count()
        self._overtaken: dict[int, asyncio.Event] = {}

    def arrive(self) -> int:
        """The number of a request, in the order of arrival."""
        return next(self._numbers)

    async def wait(self, number: int, at_most_seconds: float) -> None:
        """Until a request that arrived later has been answered."""
        overtaken = self._overtaken[number] = asyncio.Event()
        try:
            async with asyncio.timeout(at_most_seconds):
                await overtaken.wait()
        except TimeoutError:
            pass  # nobody came
        finally:
            del self._overtaken[number]

    def answered(self, number: int) -> None:
        """Its answer has gone out."""
        for waiting, overtaken in self._overtaken.items():
            if waiting < number:
                overtaken.set()
