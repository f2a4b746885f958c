"""Sentiment items: reading them from the index, and writing one as JSON.

Items stay in DynamoDB's wire form until one is dispatched: a poll reads the overlap window again
every time, and most of what it reads was sent before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from typing import Any, NamedTuple, Protocol

from lambdas.sse_streaming.aws.clients import aws_failures, items_of

AttributeValue = Mapping[str, Any]
StartKey = Mapping[str, AttributeValue]
ItemKey = tuple[str, int]

_JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


class Item(NamedTuple):
    """One version of an item; (item_id, published_at_ms) tells versions apart."""

    item_id: str
    published_at_ms: int
    ticker: str | None
    attributes: Mapping[str, AttributeValue]

    @property
    def key(self) -> ItemKey:
        return self.item_id, self.published_at_ms

    @property
    def order(self) -> tuple[int, str]:
        return self.published_at_ms, self.item_id


@dataclass(frozen=True, slots=True)
class Page:
    """Part of one sentiment's items in order of publication. `next_key` is None on the last.

    Only that tells the last page: DynamoDB cuts at 1 MB, each emulator somewhere else, and a page
    of few items or none may have more behind it.
    """

    items: tuple[Item, ...]
    next_key: StartKey | None


class ItemsIndex(Protocol):
    """The index by sentiment and time. Eventually consistent, as every secondary index is."""

    def page(
        self,
        sentiment: str,
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

    def __init__(self, client: Callable[[], Any], table: str, index: str) -> None:
        self._client = client
        self._table = table
        self._index = index

    def page(
        self,
        sentiment: str,
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
            "KeyConditionExpression": "sentiment_type = :s AND published_at BETWEEN :a AND :b",
            "ExpressionAttributeValues": {
                ":s": {"S": sentiment},
                ":a": {"N": str(since_ms)},
                ":b": {"N": str(until_ms)},
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
        items = map(read_item, items_of(answer))
        return Page(
            items=tuple(item for item in items if item is not None),
            next_key=answer.get("LastEvaluatedKey"),
        )


def read_item(attributes: Mapping[str, AttributeValue]) -> Item | None:
    """None for what real DynamoDB would not have put into the index."""
    try:
        published = attributes["published_at"]["N"]
        ticker = attributes.get("ticker", {}).get("S")
        return Item(
            item_id=attributes["item_id"]["S"],
            published_at_ms=int(published) if published.isdigit() else int(Decimal(published)),
            ticker=ticker.upper() if ticker is not None else None,  # as filters are
            attributes=attributes,
        )
    except (KeyError, ValueError, InvalidOperation):
        return None


def item_json(item: Item, latency_ms: int) -> str:
    """The item as one line of JSON with `latency_ms` added. Numbers keep all their digits."""
    members = [
        f"{encode_basestring(name)}:{_json(value)}"
        for name, value in item.attributes.items()
        if name != "latency_ms"
    ]
    members.append(f'"latency_ms":{latency_ms}')
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
