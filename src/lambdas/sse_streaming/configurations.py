"""Saved filters: whose they are and what they let pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lambdas.sse_streaming.aws.clients import aws_failures
from lambdas.sse_streaming.feed.request import StreamFilter
from lambdas.sse_streaming.http.query import parse_sentiments, parse_tickers

_MAX_KEY_BYTES = 2048
"""Of a partition key; docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One saved filter as it is stored. `owner` is the ARN of an IAM user or role."""

    owner: str
    sentiment: str | None = None
    tickers: str | None = None

    def filter(self) -> StreamFilter:
        """Raises RequestError when what was saved is not valid; check the owner first."""
        return StreamFilter(
            sentiments=parse_sentiments(self.sentiment), tickers=parse_tickers(self.tickers)
        )


class Configurations(Protocol):
    """Where saved filters are. Raises AwsUnavailable, AwsRefused."""

    def find(self, config_id: str) -> Configuration | None: ...


class DynamoConfigurations:
    """The configurations table: `config_id` (S), `owner` (S), `sentiment` and `tickers` (lists).

    Read consistently: somebody who saves and then opens must not get a 404, after which a
    browser's EventSource gives up for good.
    """

    def __init__(self, client: Callable[[], Any], table: str) -> None:
        self._client = client
        self._table = table

    def find(self, config_id: str) -> Configuration | None:
        if not _is_key(config_id):
            return None
        with aws_failures():
            answer = self._client().get_item(
                TableName=self._table,
                Key={"config_id": {"S": config_id}},
                ConsistentRead=True,
                ReturnConsumedCapacity="TOTAL",
            )
        item = answer.get("Item")
        if item is None:
            return None
        return Configuration(
            owner=str(item.get("owner", {}).get("S", "")),
            sentiment=_joined(item, "sentiment"),
            tickers=_joined(item, "tickers"),
        )


def _is_key(text: str) -> bool:
    try:
        return 1 <= len(text.encode()) <= _MAX_KEY_BYTES
    except UnicodeEncodeError:
        return False  # half of a surrogate pair


def _joined(item: Mapping[str, Any], name: str) -> str | None:
    """An attribute as the query parameter that it stands for; None (an empty list, NULL, or no
    attribute) means any. One of a wrong type becomes a parameter that is refused, for it must not
    mean any."""
    value = item.get(name, {"NULL": True})
    if "NULL" in value or value.get("L") == []:
        return None
    if "S" in value:
        return str(value["S"])
    return ",".join(value.get("SS") or [member.get("S", "") for member in value.get("L", ())])
