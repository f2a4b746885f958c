"""AWS as the core sees it, in memory: an index that lags, leases with conditional writes, metrics.

The index keeps DynamoDB's rules that a feed depends on: it is read in order of time, pages stop
at a limit with a key to go on from, and what is not yet visible is missing without a word.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambda_streaming.tracing.step import current_step
from lambdas.sse_streaming.aws.errors import AwsError, AwsThrottled
from lambdas.sse_streaming.connections.lease import AcquireRequest, Granted, Lease, Refusal, Renewal
from lambdas.sse_streaming.feeds.items import Item, ItemFields, Page, StartKey
from lambdas.sse_streaming.feeds.schema import FeedSchema
from lambdas.sse_streaming.sentiment import SENTIMENT
from lambdas.sse_streaming.sessions import SessionRecord
from tests.fakes.aws_requests import aws_request


def make_item(
    item_id: str,
    published_at_ms: int,
    sentiment: str = "positive",
    ticker: str | None = "AAPL",
    **more: Any,
) -> Item:
    attributes: dict[str, Any] = {
        "item_id": {"S": item_id},
        "sentiment_type": {"S": sentiment},
        "published_at": {"N": str(published_at_ms)},
        **more,
    }
    if ticker is not None:
        attributes["ticker"] = {"S": ticker}
    item = ItemFields(SENTIMENT).read(attributes)
    assert item is not None
    return item


_Entry = tuple[int, str, int, Item]
"""published_at, item_id, visible from, the item."""


class MemoryIndex:
    """Implements ItemsIndex. `fail` may raise in place of an answer.

    Every query is reported to the step around it, as the seam does.
    """

    latency_ms = 4

    def __init__(self, now_ms: Callable[[], int], schema: FeedSchema = SENTIMENT) -> None:
        self._now_ms = now_ms
        self._schema = schema
        self._items: dict[str, list[_Entry]] = {}
        self._partitions: dict[str, str] = {}
        self.fail: Callable[[], None] = lambda: None
        self.queries = 0

    def put(self, item: Item, visible_at_ms: int = 0) -> None:
        """Write an item; an older version of it leaves the index, as in DynamoDB."""
        partition = item.attributes[self._schema.partition]["S"]
        previous = self._partitions.get(item.item_id)
        if previous is not None:
            entries = self._items[previous]
            entries[:] = [entry for entry in entries if entry[1] != item.item_id]
        self._partitions[item.item_id] = partition
        entry = (item.published_at_ms, item.item_id, visible_at_ms, item)
        bisect.insort(self._items.setdefault(partition, []), entry, key=lambda e: e[:2])

    def page(
        self,
        partition: str,
        since_ms: int,
        until_ms: int,
        *,
        limit: int,
        start_key: StartKey | None = None,
        newest_first: bool = False,
    ) -> Page:
        self._asked()
        now_ms = self._now_ms()
        entries = self._items.get(partition, [])
        first = bisect.bisect_left(entries, since_ms, key=lambda e: e[0])
        after_last = bisect.bisect_right(entries, until_ms, key=lambda e: e[0])
        entries = entries[first:after_last]
        entries = entries[::-1] if newest_first else entries
        after = _after(start_key)
        found: list[Item] = []
        for published, item_id, visible_at_ms, item in entries:
            if visible_at_ms > now_ms:
                continue
            if after is not None and (
                (published, item_id) >= after if newest_first else (published, item_id) <= after
            ):
                continue
            found.append(item)
            if len(found) == limit:
                key = {**_key(item), "sentiment_type": {"S": partition}}
                return Page(tuple(found), key, published)
        return Page(tuple(found), None)

    def expire(self, before_ms: int) -> None:
        """Forget what was published before, as a table's time to live does."""
        for entries in self._items.values():
            del entries[: bisect.bisect_left(entries, before_ms, key=lambda e: e[0])]

    def _asked(self) -> None:
        self.queries += 1
        try:
            self.fail()
        except AwsError as error:
            self._report(error)
            raise
        self._report(None)

    def _report(self, error: AwsError | None) -> None:
        step = current_step()
        if step is None:
            return
        ended_ns = self._now_ms() * 1_000_000
        step.add_request(
            aws_request(
                ended_ns - self.latency_ms * 1_000_000,
                ended_ns,
                region="eu-central-1",
                status=200 if error is None else 400 if isinstance(error, AwsThrottled) else 500,
                request_id="A" * 52,
                error_code=error.code if error else None,
                error_message=str(error) if error else "",
            )
        )


def _key(item: Item) -> dict[str, Any]:
    return {"published_at": {"N": str(item.published_at_ms)}, "item_id": {"S": item.item_id}}


def _after(start_key: StartKey | None) -> tuple[int, str] | None:
    if start_key is None:
        return None
    return int(start_key["published_at"]["N"]), start_key["item_id"]["S"]


class MemoryConnections:
    """Implements Connections with the rules of the DynamoDB one: slots, leases, take-over."""

    def __init__(self, now_seconds: Callable[[], float], limit: int, lease_seconds: float) -> None:
        self._now_seconds = now_seconds
        self._limit = limit
        self._lease_seconds = lease_seconds
        self.slots: dict[int, tuple[Lease, float]] = {}
        self.cancelled: set[str] = set()
        self.records: dict[tuple[str, str], SessionRecord] = {}
        self.drain_until = 0.0
        self.fail: Callable[[], None] = lambda: None
        self._granted = 0

    def acquire(self, request: AcquireRequest) -> Granted | Refusal:
        self.fail()
        if self.is_draining():
            return Refusal.DRAINING
        wish = request.resumed_slot
        if wish is not None and wish in self.slots:
            holder, _ = self.slots[wish]
            if (holder.session_id, holder.sequence) == (request.session_id, request.sequence - 1):
                return self._grant(request, wish)
        for slot in range(self._limit):
            if slot not in self.slots or self.slots[slot][1] < self._now_seconds() - 1:
                return self._grant(request, slot)
        return Refusal.CAPACITY

    def _grant(self, request: AcquireRequest, slot: int) -> Granted:
        self._granted += 1
        lease = Lease(f"{slot}.{self._granted:022d}", slot, request.session_id, request.sequence)
        self.slots[slot] = (lease, self._now_seconds() + self._lease_seconds)
        return Granted(lease, None)

    def renew(self, lease: Lease) -> Renewal:
        self.fail()
        holder = self.slots.get(lease.slot)
        if holder is not None and holder[0] != lease:
            same = holder[0].session_id == lease.session_id
            return Renewal.SUPERSEDED if same else Renewal.EVICTED
        self.slots[lease.slot] = (lease, self._now_seconds() + self._lease_seconds)
        return Renewal.CANCELLED if lease.connection_id in self.cancelled else Renewal.HELD

    def release(self, lease: Lease) -> None:
        self.fail()
        if self.slots.get(lease.slot, (None, 0))[0] == lease:
            del self.slots[lease.slot]

    def cancel(self, connection_id: str) -> None:
        self.cancelled.add(connection_id)

    def is_draining(self) -> bool:
        return self.drain_until > self._now_seconds()

    def count(self) -> int:
        return sum(until >= self._now_seconds() - 1 for _, until in self.slots.values())

    def save_record(self, session_id: str, record: SessionRecord) -> None:
        self.fail()
        self.records[session_id, record.position_id] = record

    def load_record(self, session_id: str, position_id: str) -> SessionRecord | None:
        self.fail()
        return self.records.get((session_id, position_id))


class MemorySink:
    """Implements MetricSink; keeps what was put."""

    namespace = "SSEStreaming"

    def __init__(self) -> None:
        self.datums: list[Mapping[str, Any]] = []
        self.fail: Callable[[], None] = lambda: None

    def put(self, datums: Sequence[Mapping[str, Any]]) -> None:
        self.fail()
        self.datums.extend(datums)

    def total(self, name: str) -> float:
        return float(sum(d["Value"] for d in self.datums if d["MetricName"] == name))
