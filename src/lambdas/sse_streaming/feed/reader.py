"""The reads that a feed asks for. Runs on a worker thread; knows the index, not the position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lambdas.sse_streaming.feed.feed import PageRequest
from lambdas.sse_streaming.feed.items import Item, ItemKey, ItemsIndex, Page, StartKey
from lambdas.sse_streaming.feed.request import StreamFilter

PAGE_ITEMS = 200
"""Bounds a page in memory, and how much a client must take before the next one is read."""
_BACKFILL_PAGE_ITEMS = 100
_BACKFILL_PAGES = 10
"""A ticker that hardly ever occurs must not make a backfill read the whole index backwards."""


@dataclass(frozen=True, slots=True)
class FeedReader:
    """Reads pages from the index, one query after the other.

    Every method raises AwsUnavailable or AwsRefused; what was read before is then dropped.
    """

    index: ItemsIndex

    def pages(self, requests: Iterable[PageRequest]) -> dict[str, Page]:
        """One page per request, by sentiment."""
        return {
            request.sentiment: self.index.page(
                request.sentiment,
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
        for sentiment in wanted.sentiments:
            start_key: StartKey | None = None
            while True:
                page = self.index.page(
                    sentiment, since_ms, until_ms, limit=1000, start_key=start_key
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
        for sentiment in wanted.sentiments:
            of_sentiment: list[Item] = []
            start_key: StartKey | None = None
            for _ in range(_BACKFILL_PAGES):
                page = self.index.page(
                    sentiment,
                    0,
                    until_ms,
                    limit=count if not wanted.tickers else _BACKFILL_PAGE_ITEMS,
                    start_key=start_key,
                    newest_first=True,
                )
                of_sentiment.extend(matching(page.items, wanted))
                start_key = page.next_key
                if start_key is None or len(of_sentiment) >= count:
                    break
            found.extend(of_sentiment[:count])
        found.sort(key=lambda item: item.order)
        return found[-count:]


def matching(items: Iterable[Item], wanted: StreamFilter) -> Iterable[Item]:
    """Those that the filter lets pass; an item without ticker matches no ticker filter."""
    if not wanted.tickers:
        return items
    return (item for item in items if item.ticker in wanted.tickers)
