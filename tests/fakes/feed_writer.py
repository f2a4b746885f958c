"""Writes items for one client under test: new ones, updates, late ones, and wrong clocks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.fakes.ledger import Key


@dataclass(slots=True)
class FeedWriter:
    """`promised` are the versions that a client has to get: the last of each item, if it was
    visible within the overlap. On a machine that stands still for seconds some are not.
    """

    dynamodb: Any
    table: str
    ticker: str
    random: Random
    per_second: float
    overlap_seconds: float
    index_lag_seconds: float = 0.0
    written: int = 0
    written_at: dict[Key, float] = field(default_factory=dict)
    _promised: dict[str, int] = field(default_factory=dict)
    _versions: dict[str, int] = field(default_factory=dict)

    @property
    def promised(self) -> set[Key]:
        return set(self._promised.items())

    async def write_for(self, seconds: float, *, in_disorder: bool) -> None:
        """At random times with wrong clocks and updates, or steadily and in order."""
        stop_at = time.monotonic() + seconds
        number = 0
        while time.monotonic() < stop_at:
            gap = self.random.expovariate(self.per_second) if in_disorder else 1 / self.per_second
            await asyncio.sleep(min(gap, seconds))
            item_id = f"{self.ticker}-{number}"
            stamp = time.time_ns() // 1_000_000
            if in_disorder:
                stamp += self.random.choice((0, 0, 0, -500, -1000, 1000, 4000))
            if in_disorder and self._versions and self.random.random() < 0.15:
                item_id = self.random.choice(list(self._versions))
                stamp = max(stamp, self._versions[item_id] + 1)
            else:
                number += 1
            await self._write(item_id, stamp)

    async def _write(self, item_id: str, stamp: int) -> None:
        sentiment = self.random.choice(("positive", "neutral", "negative"))
        item = {
            "item_id": {"S": item_id},
            "published_at": {"N": str(stamp)},
            "sentiment_type": {"S": sentiment},
            "ticker": {"S": self.ticker},
        }
        self._versions[item_id] = stamp
        self._promised.pop(item_id, None)  # it leaves the index, seen or not
        await asyncio.to_thread(self.dynamodb.put_item, TableName=self.table, Item=item)
        self.written += 1
        now = time.time()
        self.written_at[item_id, stamp] = max(now, stamp / 1000)
        if now + self.index_lag_seconds - stamp / 1000 < self.overlap_seconds - 0.3:
            self._promised[item_id] = stamp
