"""Saved configurations of sentiment streams, to be tried."""

from __future__ import annotations

from typing import Any

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
