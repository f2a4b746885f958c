"""How fast a stream may read its way from an old position to the present. Pure.

An id may be an hour old and its filter may match nothing: without a bound one request reads an
hour of the feed for a few bytes, as often as somebody asks.
"""

from __future__ import annotations

ITEMS_PER_EARNED_PAGE = 10
_MAX_SAVED_PAGES = 20.0


class CatchUpAllowance:
    """Pages that a catch-up may read: as many a second as live polls do, and one more for every
    ITEMS_PER_EARNED_PAGE items that it brought the client.

    So a filter that matches nothing costs no more than a live stream, and one that matches is as
    fast as its client. At most `_MAX_SAVED_PAGES` are saved up.
    """

    def __init__(self, pages_per_second: float, now_seconds: float) -> None:
        self._pages_per_second = pages_per_second
        self._pages = 0.0
        self._counted_at = now_seconds

    def earn(self, new_items: int) -> None:
        """`new_items` items are new to the client."""
        earned = new_items / ITEMS_PER_EARNED_PAGE
        self._pages = min(self._pages + earned, _MAX_SAVED_PAGES)

    def spend(self, pages: int, now_seconds: float) -> float:
        """Spend `pages`; returns how many seconds to wait before they are read."""
        passed_seconds = now_seconds - self._counted_at
        refilled = self._pages + passed_seconds * self._pages_per_second
        self._pages = min(refilled, _MAX_SAVED_PAGES) - pages
        self._counted_at = now_seconds
        return max(0.0, -self._pages / self._pages_per_second)
