from __future__ import annotations

import json

from local_aws.data.capacity import Capacity
from local_aws.data.faults import ProxiedRequest


def request(operation: str = "Query") -> ProxiedRequest:
    return ProxiedRequest(operation, ("items",), "key", {"TableName": "items"})


def test_capacity_comes_from_answers_and_failed_conditions() -> None:
    capacity = Capacity()
    one = {"ConsumedCapacity": {"TableName": "items", "CapacityUnits": 0.5}}
    two = {"ConsumedCapacity": [one["ConsumedCapacity"], one["ConsumedCapacity"]]}
    capacity.add(request(), 200, json.dumps(one).encode())
    capacity.add(request("BatchGetItem"), 200, json.dumps(two).encode())
    failed = b'{"__type":"x#ConditionalCheckFailedException"}'
    capacity.add(request("PutItem"), 400, failed)
    capacity.add(request("PutItem"), 200, b"{}")
    assert capacity.units == {
        ("Query", "items"): 0.5,
        ("BatchGetItem", "items"): 1.0,
        ("PutItem", "items"): 1.0,
    }
    assert capacity.total(operation="PutItem") == 1.0
    assert capacity.requests["PutItem", "items"] == 2
