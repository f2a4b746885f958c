"""The tables of the local stack, as the function's Terraform makes them on AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

SAMPLE_CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    {
        "config_id": "tech-positive",
        "owner": "alice",
        "sentiment": ["positive"],
        "tickers": ["AAPL", "MSFT", "NVDA"],
    },
    {
        "config_id": "everything",
        "owner": "alice",
        "sentiment": ["positive", "neutral", "negative"],
        "tickers": [],
    },
    {
        "config_id": "of-someone-else",
        "owner": "bob",
        "sentiment": ["negative"],
        "tickers": [],
    },
)


class TablesError(Exception):
    """The tables could not be created under the names that they were given."""


@dataclass(frozen=True, slots=True)
class TableNames:
    items: str = "items"
    connections: str = "connections"
    configurations: str = "configurations"
    items_index: str = "by_sentiment"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> TableNames:
        """The names that the function is configured with."""
        default = cls()
        return cls(
            environ.get("SSE_ITEMS_TABLE") or default.items,
            environ.get("SSE_CONNECTIONS_TABLE") or default.connections,
            environ.get("SSE_CONFIGURATIONS_TABLE") or default.configurations,
            environ.get("SSE_ITEMS_INDEX") or default.items_index,
        )

    @property
    def key_names(self) -> dict[str, tuple[str, ...]]:
        return {
            self.items: ("item_id",),
            self.connections: ("pk", "sk"),
            self.configurations: ("config_id",),
        }


def create_tables(dynamodb: Any, names: TableNames) -> None:
    """Creates the missing tables: an engine that the user runs may have them already.

    Raises TablesError.
    """
    existing = set(dynamodb.list_tables()["TableNames"])
    for definition in _definitions(names):
        if definition["TableName"] not in existing:
            try:
                dynamodb.create_table(BillingMode="PAY_PER_REQUEST", **definition)
            except (BotoCoreError, ClientError) as error:
                raise TablesError(
                    f"The table {definition['TableName']!r} cannot be created: {reason(error)}"
                ) from error
    for name in names.key_names:
        dynamodb.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )


def put_sample_configurations(dynamodb: Any, table: str, *, account_id: str) -> None:
    """Writes SAMPLE_CONFIGURATIONS; their owners become users of this account."""
    for sample in SAMPLE_CONFIGURATIONS:
        configuration = {**sample, "owner": f"arn:aws:iam::{account_id}:user/{sample['owner']}"}
        dynamodb.put_item(
            TableName=table,
            Item={
                name: {"L": [{"S": one} for one in value]}
                if isinstance(value, list)
                else {"S": value}
                for name, value in configuration.items()
            },
        )


def reason(error: BotoCoreError | ClientError) -> str:
    """Why DynamoDB did not do it, in one line."""
    if isinstance(error, ClientError):
        given = error.response["Error"]
        text = f"{given.get('Code', 'no code')}: {given.get('Message', 'no message')}"
    else:
        text = str(error)
    return " ".join(text.split())


def _definitions(names: TableNames) -> list[dict[str, Any]]:
    return [
        {
            "TableName": names.items,
            "AttributeDefinitions": _attributes(item_id="S", sentiment_type="S", published_at="N"),
            "KeySchema": _key("item_id"),
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": names.items_index,
                    "KeySchema": _key("sentiment_type", "published_at"),
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        },
        {
            "TableName": names.connections,
            "AttributeDefinitions": _attributes(pk="S", sk="S"),
            "KeySchema": _key("pk", "sk"),
        },
        {
            "TableName": names.configurations,
            "AttributeDefinitions": _attributes(config_id="S"),
            "KeySchema": _key("config_id"),
        },
    ]


def _attributes(**types: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


def _key(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": n, "KeyType": k} for n, k in zip(names, kinds, strict=False)]
