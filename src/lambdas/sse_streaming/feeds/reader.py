"""The reads that a feed asks for. Runs on a worker thread; knows the index, not the position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lambdas.sse_streaming.feeds.feed import PageRequest
from lambdas.sse_streaming.feeds.items import Item, ItemKey, ItemsIndex, Page, StartKey
from lambdas.sse_streaming.feeds.request import StreamFilter

PAGE_ITEMS = 200
"""Bounds a page in memory, and how much a client must take before the next one is read."""
_BACKFILL_PAGE_ITEMS = 100
_BACKFILL_PAGES = 10
"""A filter that hardly anything passes must not make a backfill read the whole index backwards."""


@dataclass(frozen=True, slots=True)
class FeedReader:
    """Reads pages from the index, one query after the other.

    Every method raises AwsUnavailable or AwsRefused; what was read before is then dropped.
    """

    index: ItemsIndex

    def pages(self, requests: Iterable[PageRequest]) -> dict[str, Page]:
        """One page per request, by partition."""
        return {
            request.partition: self.index.page(
                request.partition,
                request.since_ms,
                request.until_ms,
                limit=PAGE_ITEMS,
                start_key=request.start_key,
            )
            for request in requests
        }

    def window(self, wanted: StreamFilter, since_ms: int, until_ms: int) -> list[ItemKey]:
        """The keys of everything within [since_ms, until_ms] that the filter lets pass. The keys
        alone: whole items would only fill the memory."""
        keys: list[ItemKey] = []
        for partition in wanted.partitions:
            start_key: StartKey | None = None
            while True:
                page = self.index.page(
                    partition, since_ms, until_ms, limit=1000, start_key=start_key
                )
                keys.extend(item.key for item in matching(page.items, wanted))
                start_key = page.next_key
                if start_key is None:
                    break
        return keys

    def newest(self, wanted: StreamFilter, until_ms: int, count: int) -> list[Item]:
        """The `count` newest items that the filter lets pass, oldest first. `count` is at least
        1: DynamoDB refuses a limit of 0."""
        found: list[Item] = []
        for partition in wanted.partitions:
            of_partition: list[Item] = []
            start_key: StartKey | None = None
            for _ in range(_BACKFILL_PAGES):
                page = self.index.page(
                    partition,
                    0,
                    until_ms,
                    limit=count if not wanted.filters else _BACKFILL_PAGE_ITEMS,
                    start_key=start_key,
                    newest_first=True,
                )
                of_partition.extend(matching(page.items, wanted))
                start_key = page.next_key
                if start_key is None or len(of_partition) >= count:
                    break
            found.extend(of_partition[:count])
        found.sort(key=lambda item: item.order)
        return found[-count:]


def matching(items: Iterable[Item], wanted: StreamFilter) -> Iterable[Item]:
    """Those that the filter lets pass."""
    if not wanted.filters:
        return items
    return (item for item in items if wanted.passes(item.attributes))
