"""Saved filters: whose they are and what a client would have asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lambdas.sse_streaming.aws.clients import aws_failures
from lambdas.sse_streaming.feeds.schema import FeedSchema, is_key


@dataclass(frozen=True, slots=True)
class Configuration:
    """One saved filter, not checked. `owner` is the ARN of an IAM user or role, `given` what stands
    for each query parameter of the schema."""

    owner: str
    given: Mapping[str, str] = field(default_factory=dict)


class Configurations(Protocol):
    """Where saved filters are. Raises AwsUnavailable, AwsRefused."""

    def find(self, config_id: str) -> Configuration | None: ...


class DynamoConfigurations:
    """The configurations table: `config_id` (S), `owner` (S), and a list for each parameter that a
    client may give instead: `sentiment` and `tickers` of the sentiment feed.

    Read consistently: somebody who saves and then opens must not get a 404, after which a
    browser's EventSource gives up for good.
    """

    def __init__(self, client: Callable[[], Any], table: str, schema: FeedSchema) -> None:
        self._client = client
        self._table = table
        self._columns = schema.columns

    def find(self, config_id: str) -> Configuration | None:
        if not is_key(config_id):
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
            given={
                parameter: text
                for parameter, column in self._columns.items()
                if (text := _joined(item, column)) is not None
            },
        )


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
