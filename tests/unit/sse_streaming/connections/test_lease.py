"""What becomes of a slot when the answer to its write is lost."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from lambdas.sse_streaming.aws.errors import AwsUnavailable
from lambdas.sse_streaming.connections.dynamodb import DynamoConnections
from lambdas.sse_streaming.connections.lease import AcquireRequest


class AnswerLosingClient:
    """Writes slots, and loses every answer to such a write."""

    def __init__(self) -> None:
        self.slots: dict[str, dict[str, Any]] = {}

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {}

    def query(self, **_: Any) -> dict[str, Any]:
        return {"Items": []}

    def put_item(self, Item: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        self.slots[Item["sk"]["S"]] = Item
        raise ReadTimeoutError(endpoint_url="http://dynamodb")

    def delete_item(self, Key: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        del self.slots[Key["sk"]["S"]]
        return {}


def test_a_slot_whose_answer_was_lost_is_given_back() -> None:
    """Otherwise nobody would use it, and its client would come back as a clone of itself."""
    client = AnswerLosingClient()
    connections = DynamoConnections(
        lambda: client,
        "connections",
        max_connections=10,
        lease_seconds=30,
        replay_seconds=3600,
        now_seconds=lambda: 1_795_000_000.0,
        random=Random(0),
    )

    with pytest.raises(AwsUnavailable):
        connections.acquire(AcquireRequest("00" * 9, 1, None))

    assert client.slots == {}
