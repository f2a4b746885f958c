"""A table as boto3's client answers for it, in memory: below the function's own queries.

It keeps the rules that a reader's scaling and paging depend on: numbers are compared as decimals in
the table's unit, a page may end anywhere, empty ones included, and its key holds every key
attribute of index and table.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from lambdas.sse_streaming.feeds.items import DynamoItemsIndex, Item, Page, StartKey
from lambdas.sse_streaming.feeds.schema import FeedSchema
from tests.fakes.memory_aws import MemoryIndex

_PAGE_ITEMS = (1, 2, 3, 7, 50, 1000)


class MemoryTable(MemoryIndex):
    """An index that is read through `query`."""

    def __init__(self, now_ms: Callable[[], int], schema: FeedSchema, random: Random) -> None:
        super().__init__(now_ms, schema)
        self._random = random
        self._reader = DynamoItemsIndex(lambda: self, "table", schema.index, schema)

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
        return self._reader.page(
            partition,
            since_ms,
            until_ms,
            limit=limit,
            start_key=start_key,
            newest_first=newest_first,
        )

    def query(self, **asked: Any) -> dict[str, Any]:
        self._asked()
        names, values = asked["ExpressionAttributeNames"], asked["ExpressionAttributeValues"]
        assert names == {"#p": self._schema.partition, "#t": self._schema.time}
        low, high = Decimal(values[":a"]["N"]), Decimal(values[":b"]["N"])
        now_ms = self._now_ms()
        visible = sorted(
            (
                (self._number(item), item.item_id, item)
                for _, _, visible_at_ms, item in self._items.get(values[":p"]["S"], [])
                if visible_at_ms <= now_ms and low <= self._number(item) <= high
            ),
            key=lambda entry: entry[:2],
            reverse=not asked.get("ScanIndexForward", True),
        )
        if (start := asked.get("ExclusiveStartKey")) is not None:
            assert set(start) == {
                *(self._schema.partition, self._schema.time, self._schema.item_id),
                "range_key",
            }
            after = Decimal(start[self._schema.time]["N"]), start[self._schema.item_id]["S"]
            forward = asked.get("ScanIndexForward", True)
            visible = [
                entry for entry in visible if (entry[:2] > after if forward else entry[:2] < after)
            ]
        page = visible[: min(asked["Limit"], self._random.choice(_PAGE_ITEMS))]
        answer: dict[str, Any] = {"Items": [item.attributes for _, _, item in page]}
        if page and (len(page) < len(visible) or self._random.random() < 0.3):
            # DynamoDB gives a key at a full page, whether there is more behind it or not.
            last = page[-1][2].attributes
            answer["LastEvaluatedKey"] = {
                name: last[name]
                for name in (self._schema.partition, self._schema.time, self._schema.item_id)
            } | {"range_key": {"S": "r"}}
        return answer

    def _number(self, item: Item) -> Decimal:
        return Decimal(item.attributes[self._schema.time]["N"])
