"""The tables of the local stack, as the function's Terraform makes them on AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.feed.declaration import Declaration


class TablesError(Exception):
    """The tables could not be created under the names that they were given."""


@dataclass(frozen=True, slots=True)
class TableNames:
    items: str = "items"
    connections: str = "connections"
    configurations: str = "configurations"
    items_index: str = field(kw_only=True)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], feed: Declaration) -> TableNames:
        """The names that the function is configured with."""
        default = cls(items_index=feed.index)
        return cls(
            environ.get("SSE_ITEMS_TABLE") or default.items,
            environ.get("SSE_CONNECTIONS_TABLE") or default.connections,
            environ.get("SSE_CONFIGURATIONS_TABLE") or default.configurations,
            items_index=environ.get("SSE_ITEMS_INDEX") or default.items_index,
        )

    def keys(self, feed: Declaration) -> dict[str, tuple[str, ...]]:
        """The key attributes of each table."""
        return {
            self.items: (feed.item_id,),
            self.connections: ("pk", "sk"),
            self.configurations: ("config_id",),
        }


def create_tables(dynamodb: Any, names: TableNames, feed: Declaration) -> None:
    """Creates the missing tables: an engine that the user runs may have them already.

    Raises TablesError.
    """
    existing = set(dynamodb.list_tables()["TableNames"])
    for definition in _definitions(names, feed):
        if definition["TableName"] not in existing:
            try:
                dynamodb.create_table(BillingMode="PAY_PER_REQUEST", **definition)
            except (BotoCoreError, ClientError) as error:
                raise TablesError(
                    f"The table {definition['TableName']!r} cannot be created: {reason(error)}"
                ) from error
    for name in names.keys(feed):
        dynamodb.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )


def reason(error: BotoCoreError | ClientError) -> str:
    """Why DynamoDB did not do it, in one line."""
    if isinstance(error, ClientError):
        given = error.response["Error"]
        text = f"{given.get('Code', 'no code')}: {given.get('Message', 'no message')}"
    else:
        text = str(error)
    return " ".join(text.split())


def _definitions(names: TableNames, feed: Declaration) -> list[dict[str, Any]]:
    return [
        {
            "TableName": names.items,
            "AttributeDefinitions": _attributes(
                {feed.item_id: "S", feed.partition: "S", feed.time: "N"}
            ),
            "KeySchema": _key(feed.item_id),
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": names.items_index,
                    "KeySchema": _key(feed.partition, feed.time),
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        },
        {
            "TableName": names.connections,
            "AttributeDefinitions": _attributes({"pk": "S", "sk": "S"}),
            "KeySchema": _key("pk", "sk"),
        },
        {
            "TableName": names.configurations,
            "AttributeDefinitions": _attributes({"config_id": "S"}),
            "KeySchema": _key("config_id"),
        },
    ]


def _attributes(types: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


def _key(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": n, "KeyType": k} for n, k in zip(names, kinds, strict=False)]
