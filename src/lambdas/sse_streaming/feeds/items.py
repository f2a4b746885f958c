"""A feed's items: reading them from the index, and writing one as JSON.

Items stay in DynamoDB's wire form until one is dispatched: a poll reads the overlap window again
every time, and most of what it reads was sent before.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, NamedTuple, Protocol

from lambdas.sse_streaming.aws.clients import aws_failures, items_of
from lambdas.sse_streaming.feeds.schema import LATENCY_ATTRIBUTE, FeedSchema

AttributeValue = Mapping[str, Any]
StartKey = Mapping[str, AttributeValue]
ItemKey = tuple[str, int]

_log = logging.getLogger(__name__)
_JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


class Item(NamedTuple):
    """One version of an item; (item_id, published_at_ms) tells versions apart."""

    item_id: str
    published_at_ms: int
    attributes: Mapping[str, AttributeValue]

    @property
    def key(self) -> ItemKey:
        return self.item_id, self.published_at_ms

    @property
    def order(self) -> tuple[int, str]:
        return self.published_at_ms, self.item_id


@dataclass(frozen=True, slots=True)
class Page:
    """Part of one partition's items in order of publication. `next_key` is None on the last.

    Only that tells the last page: DynamoDB cuts at 1 MB, each emulator somewhere else, and a page
    of few items or none may have more behind it. `stopped_at_ms` is the time in `next_key`: none
    of the items behind the page is older.
    """

    items: tuple[Item, ...]
    next_key: StartKey | None = None
    stopped_at_ms: int | None = None


class ItemsIndex(Protocol):
    """The index by partition and time. Eventually consistent, as every secondary index is."""

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
        """Items published within [since_ms, until_ms]. Raises AwsUnavailable, AwsRefused."""
        ...


class DynamoItemsIndex:
    """The index in DynamoDB. The client is made with the first call."""

    def __init__(
        self, client: Callable[[], Any], table: str, index: str, schema: FeedSchema
    ) -> None:
        self._client = client
        self._table = table
        self._index = index
        self._fields = ItemFields(schema)
        # A key may be named by one of DynamoDB's 573 reserved words, as `status` and `timestamp`.
        self._names = {"#p": schema.partition, "#t": schema.time}
        self._warned_of = f"{schema.item_id!r} (S) or no {schema.time!r} (N)"
        self._has_warned = False

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
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": self._index,
            "KeyConditionExpression": "#p = :p AND #t BETWEEN :a AND :b",
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": {
                ":p": {"S": partition},
                ":a": {"N": self._fields.number(since_ms)},
                ":b": {"N": self._fields.number(until_ms)},
            },
            "Limit": limit,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if newest_first:
            query["ScanIndexForward"] = False
        if start_key is not None:
            query["ExclusiveStartKey"] = start_key
        with aws_failures():
            answer = self._client().query(**query)
        answered = items_of(answer)
        items = tuple(item for item in map(self._fields.read, answered) if item is not None)
        if len(items) < len(answered) and not self._has_warned:
            self._has_warned = True
            _log.warning("items of the index are passed over: they have no %s", self._warned_of)
        next_key = answer.get("LastEvaluatedKey")
        return Page(items, next_key, None if next_key is None else self._fields.time_ms(next_key))


class ItemFields:
    """Where a schema's items have their id and their time.

    A bound of a query is the exact number of the table's unit: with seconds, 12.345 for 12,345 ms.
    So a table of whole seconds is read as if the lower bound were rounded up and the upper one
    down, and one with fractions loses none.
    """

    def __init__(self, schema: FeedSchema) -> None:
        self._item_id = schema.item_id
        self._time = schema.time
        self._ms_per_unit = schema.ms_per_unit

    def read(self, attributes: Mapping[str, AttributeValue]) -> Item | None:
        """None for what real DynamoDB would not have put into the index."""
        try:
            time = attributes[self._time]["N"]
            return Item(
                attributes[self._item_id]["S"],
                int(time) * self._ms_per_unit if time.isdigit() else self._ms(time),
                attributes,
            )
        except (KeyError, ValueError, ArithmeticError):
            return None

    def time_ms(self, key: StartKey) -> int | None:
        """The time in a page's key; None where the answer has none that can be read."""
        try:
            return self._ms(key[self._time]["N"])
        except (KeyError, ValueError, ArithmeticError):
            return None

    def number(self, time_ms: int) -> str:
        """A time as a number of the table's unit."""
        if self._ms_per_unit == 1:
            return str(time_ms)
        return str(Decimal(time_ms) / self._ms_per_unit)

    def _ms(self, number: str) -> int:
        return int(Decimal(number) * self._ms_per_unit)


def item_json(item: Item, latency_ms: int) -> str:
    """The item as one line of JSON with `latency_ms` added. Numbers keep all their digits."""
    members = [
        f"{encode_basestring(name)}:{_json(value)}"
        for name, value in item.attributes.items()
        if name != LATENCY_ATTRIBUTE
    ]
    members.append(f'"{LATENCY_ATTRIBUTE}":{latency_ms}')
    return "{" + ",".join(members) + "}"


def _json(value: AttributeValue) -> str:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return encode_basestring(content)
        case "N":
            return _number(content)
        case "BOOL":
            return "true" if content else "false"
        case "NULL":
            return "null"
        case "M":
            return (
                "{"
                + ",".join(f"{encode_basestring(k)}:{_json(v)}" for k, v in content.items())
                + "}"
            )
        case "L":
            return "[" + ",".join(map(_json, content)) + "]"
        case "SS":
            return json.dumps(sorted(content), ensure_ascii=False, separators=(",", ":"))
        case "NS":
            return "[" + ",".join(map(_number, content)) + "]"
        case "B":
            return '"' + _base64(content) + '"'
        case "BS":
            return json.dumps([_base64(part) for part in content], separators=(",", ":"))
    raise ValueError(f"DynamoDB has no attribute type {kind!r}")


def _number(text: str) -> str:
    if _JSON_NUMBER.fullmatch(text):
        return text
    number = Decimal(text)
    return format(number.normalize(), "f") if number.is_finite() else "null"


def _base64(content: bytes) -> str:
    import base64  # only items with binary attributes need it

    return base64.b64encode(content).decode()
