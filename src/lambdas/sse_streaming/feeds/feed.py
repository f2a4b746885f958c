"""The feed's position: what a poll has to read, what of it is new, and in which order it goes out.

Pure: pages in, items out; no clock, no network. The rules, and why they are so:

- Indexes lag and writers' clocks differ, so "newer than the newest seen" loses items. The position
  is one time F on *our* clock: every visible item published before F has been dealt with. Every
  poll reads again from F to now + overlap, and what was seen is known by (item_id, published_at).
- After a finished poll F is its start minus the overlap. Inside a batch F cannot pass the next
  unsent item or an unread page, so a cut in the middle of a long catch-up resumes there.
- No writer's clock moves F, and a filter that matches nothing does not hold it back.
- Several partitions are several queries; an item goes out only when no unread page can hold an
  older one, so a batch is ordered by (published_at, item_id) however it was paged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lambdas.sse_streaming.feeds.items import Item, ItemKey, Page, StartKey
from lambdas.sse_streaming.feeds.position import (
    LONG_HASH_BYTES,
    MAX_HASHES,
    SHORT_HASH_BYTES,
    item_hash,
)
from lambdas.sse_streaming.feeds.request import StreamFilter


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One query of a poll."""

    partition: str
    since_ms: int
    until_ms: int
    start_key: StartKey | None


@dataclass(slots=True)
class _Unread:
    """A partition of the cycle that has pages left. Nothing older than `from_ms` is among them."""

    from_ms: int
    start_key: StartKey | None


class _WindowItem(NamedTuple):
    """An item that is not sent again: this stream has sent it, or it is older than the stream
    (`was_sent` False; its hash is made when it is needed)."""

    published_at_ms: int
    item_id: str
    was_sent: bool
    known_hash: bytes | None

    @property
    def long_hash(self) -> bytes:
        return self.known_hash or item_hash(self.item_id, self.published_at_ms)


class Feed:
    """One connection's place in the feed.

    Life of a cycle: `begin(now)`, then `requests()` -> read the pages -> `absorb(pages)` -> `take`
    until None, again while `is_reading`. `settled_ms` is right at every moment in between.
    """

    def __init__(self, wanted: StreamFilter, *, overlap_ms: int, settled_ms: int) -> None:
        self._wanted = wanted
        self._overlap_ms = overlap_ms
        self._first_settled_ms = settled_ms
        self._floor_ms = settled_ms
        self._bound_ms = settled_ms
        self._started_ms = settled_ms
        self._until_ms = settled_ms
        self._unread: dict[str, _Unread] = {}
        self._held: list[Item] = []
        self._ready: deque[Item] = deque()
        self._seen: dict[tuple[str, int], None] = {}
        self._window: deque[_WindowItem] = deque()
        self._inherited: dict[bytes, None] = {}
        self._inherited_until_ms = 0
        self._recent: tuple[bytes, ...] | None = None
        self._recent_since_ms = settled_ms
        self._has_absorbed = False
        self.duplicates_dropped = 0

    # Where the stream begins

    def start_after(
        self, baseline: Iterable[ItemKey], backfill: Iterable[Item], *, oldest_ms: int
    ) -> None:
        """Count `baseline`, which is older than the stream, as seen, and send `backfill` first.

        The position never goes back beyond `oldest_ms`: an id that is expired when it is minted
        would bring the same backfill again after every cut.
        """
        to_send = sorted(backfill, key=lambda item: item.order)
        self._ready.extend(to_send)
        self._seen.update((item.key, None) for item in to_send)
        for key in baseline:
            if key not in self._seen:
                self._seen[key] = None
                item_id, published_at_ms = key
                self._window.append(_WindowItem(published_at_ms, item_id, False, None))
        if to_send:
            oldest_ms = max(to_send[0].published_at_ms, oldest_ms)
            self._floor_ms = min(self._floor_ms, oldest_ms)

    def inherit(self, hashes: Iterable[bytes], *, until_ms: int) -> None:
        """Skip what the client got on its previous connection; nothing of it was published after
        `until_ms`. Hashes may be short (from an id) or long (from the session's record)."""
        self._inherited = dict.fromkeys(hashes)
        self._recent = None
        self._inherited_until_ms = until_ms

    # A cycle

    @property
    def is_reading(self) -> bool:
        """Whether the cycle has pages left to read."""
        return bool(self._unread)

    def begin(self, now_ms: int, latest_ms: int | None = None) -> None:
        """Begin a cycle at `now_ms` on our clock, once every item of the last one is taken.

        Where clocks disagree `now_ms` is the lowest time that may be right, and `latest_ms` the
        highest: items stamped by then are due.
        """
        self._floor_ms = self.settled_ms
        self._forget_before(self._floor_ms)
        self._started_ms = now_ms
        # A position minted on a faster clock may lie ahead of this one's now + overlap.
        self._until_ms = max((latest_ms or now_ms) + self._overlap_ms, self._floor_ms)
        self._unread = {
            partition: _Unread(self._floor_ms, None) for partition in self._wanted.partitions
        }
        self._has_absorbed = False
        self._move_bound()

    def go_back(self, began_ms: int) -> None:
        """The stream began at `began_ms`, earlier than believed: read again all that it has settled
        since. Items that were sent and forgotten are sent again. To be called between cycles."""
        beginning_ms = min(self._first_settled_ms, began_ms - self._overlap_ms)
        self._floor_ms = self._bound_ms = min(beginning_ms, self._floor_ms)

    @property
    def is_catching_up(self) -> bool:
        """Whether the next pages are older than what every poll reads anyway."""
        frontier = self._frontier_ms()
        return frontier is not None and frontier < self._started_ms - self._overlap_ms

    def failed(self) -> None:
        """A read failed. A cycle that has read nothing is dropped, and the next begins at a later
        time; one that has read pages goes on with the page that failed."""
        if not self._has_absorbed:
            self._unread = {}
            self._bound_ms = self._floor_ms

    def requests(self) -> list[PageRequest]:
        """The queries that come next: one page of each partition that holds the others back."""
        frontier = self._frontier_ms()
        return [
            PageRequest(partition, self._floor_ms, self._until_ms, unread.start_key)
            for partition, unread in self._unread.items()
            if frontier is None or unread.from_ms <= frontier
        ]

    def absorb(self, pages: Mapping[str, Page]) -> int:
        """Take the pages read; returns how many of their items are new to the client."""
        self._has_absorbed = True
        fresh: list[Item] = []
        for partition, page in pages.items():
            if page.next_key is None:
                del self._unread[partition]
            else:
                unread = self._unread[partition]
                unread.start_key = page.next_key
                if page.stopped_at_ms is not None:
                    unread.from_ms = page.stopped_at_ms
            fresh.extend(item for item in page.items if self._is_new(item))
        self._held.extend(fresh)
        frontier = self._frontier_ms()
        if frontier is None:
            in_order, self._held = self._held, []
        else:
            in_order = [item for item in self._held if item.published_at_ms < frontier]
            self._held = [item for item in self._held if item.published_at_ms >= frontier]
        in_order.sort(key=lambda item: item.order)
        self._ready.extend(in_order)
        self._move_bound()
        return len(fresh)

    def take(self) -> Item | None:
        """The next item to send, which counts as sent from here on; None when all are taken."""
        if not self._ready:
            return None
        item = self._ready.popleft()
        self._note_sent(item.published_at_ms, item.item_id, item_hash(*item.key))
        return item

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    # What an id says

    @property
    def settled_ms(self) -> int:
        """F: everything visible and published before it has been dealt with."""
        bound = self._bound_ms
        if self._ready and self._ready[0].published_at_ms < bound:
            bound = self._ready[0].published_at_ms
        return bound if bound > self._floor_ms else self._floor_ms

    def recent_hashes(self) -> tuple[bytes, ...]:
        """Short hashes of the last items sent among those that a resume from F reads again."""
        settled = self.settled_ms
        if self._recent is None or settled != self._recent_since_ms:
            self._recent, self._recent_since_ms = self._find_recent(settled), settled
        return self._recent

    def _find_recent(self, settled: int) -> tuple[bytes, ...]:
        newest_first: list[bytes] = []
        for sent in reversed(self._window):
            if sent.was_sent and sent.published_at_ms >= settled:
                newest_first.append(sent.long_hash[:SHORT_HASH_BYTES])
                if len(newest_first) == MAX_HASHES:
                    break
        for known in reversed(self._inherited):
            if len(newest_first) == MAX_HASHES:
                break
            newest_first.append(known[:SHORT_HASH_BYTES])
        return tuple(reversed(newest_first))

    @property
    def overflows_id(self) -> bool:
        """Whether an id cannot carry all that was sent since F, so that a resume from the id
        alone would send some of it again."""
        settled = self.settled_ms
        sent = sum(1 for item in self._window if item.was_sent and item.published_at_ms >= settled)
        return sent + len(self._inherited) > MAX_HASHES

    def window_hashes(self) -> tuple[list[bytes], list[bytes]]:
        """Hashes of everything since F that a resume must skip, sent or older than the stream: long
        ones, and short ones of the items that are known from an id alone."""
        settled = self.settled_ms
        long_hashes = [item.long_hash for item in self._window if item.published_at_ms >= settled]
        long_hashes += [known for known in self._inherited if len(known) == LONG_HASH_BYTES]
        return long_hashes, [known for known in self._inherited if len(known) < LONG_HASH_BYTES]

    # Internals

    def _is_new(self, item: Item) -> bool:
        if self._wanted.filters and not self._wanted.passes(item.attributes):
            return False
        if item.key in self._seen:
            self.duplicates_dropped += 1
            return False
        if item.published_at_ms >= self._started_ms - self._overlap_ms:
            # Older ones are never read again: the next poll begins at this one's start - overlap.
            self._seen[item.key] = None
        if self._inherited:
            long_hash = item_hash(*item.key)
            for known in (long_hash, long_hash[:SHORT_HASH_BYTES]):
                if known in self._inherited:
                    del self._inherited[known]
                    self._recent = None
                    self.duplicates_dropped += 1
                    self._note_sent(item.published_at_ms, item.item_id, long_hash)
                    return False
        return True

    def _note_sent(self, published_at_ms: int, item_id: str, long_hash: bytes) -> None:
        self._window.append(_WindowItem(published_at_ms, item_id, True, long_hash))
        settled = self.settled_ms
        if self._recent is not None:  # right as long as F has not moved (recent_hashes looks)
            self._recent = (*self._recent[1 - MAX_HASHES :], long_hash[:SHORT_HASH_BYTES])
        while self._window and self._window[0].published_at_ms < settled:
            self._window.popleft()

    def _forget_before(self, settled_ms: int) -> None:
        """Drop what no poll will read again. Published before F means settled."""
        self._seen = {key: None for key in self._seen if key[1] >= settled_ms}
        self._window = deque(sent for sent in self._window if sent.published_at_ms >= settled_ms)
        if self._inherited and settled_ms > self._inherited_until_ms:
            self._inherited = {}
            self._recent = None

    def _frontier_ms(self) -> int | None:
        """The oldest time that an unread page may hold; None when all is read."""
        return min((unread.from_ms for unread in self._unread.values()), default=None)

    def _move_bound(self) -> None:
        bound = self._started_ms - self._overlap_ms
        frontier = self._frontier_ms()
        if frontier is not None:
            bound = min(bound, frontier)
        if self._held:
            bound = min(bound, min(item.published_at_ms for item in self._held))
        self._bound_ms = bound
