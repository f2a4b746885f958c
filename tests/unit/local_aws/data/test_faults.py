from __future__ import annotations

import json
from typing import Any

from local_aws.data.capacity import Capacity
from local_aws.data.faults import THROTTLE, Delay, Drop, FaultPlan, ProxiedRequest
from local_aws.data.index_lag import IndexLag
from local_aws.servers.http_framing import RawMessage


def request(operation: str = "Query", **parameters: Any) -> ProxiedRequest:
    return ProxiedRequest(operation, ("items",), "key", {"TableName": "items", **parameters})


def test_a_rule_fires_as_often_as_it_may() -> None:
    plan = FaultPlan()
    rule = plan.add(THROTTLE, times=2)
    assert [plan.actions_for(request()) for _ in range(3)] == [[THROTTLE], [THROTTLE], []]
    assert rule.fired == 2


def test_the_first_rule_decides_and_every_delay_applies() -> None:
    plan = FaultPlan()
    slow, slower = Delay(before_seconds=1), Delay(after_seconds=2)
    for action in (slow, Drop(), THROTTLE, slower):
        plan.add(action)
    assert plan.actions_for(request()) == [slow, Drop(), slower]


def test_a_removed_rule_no_longer_applies() -> None:
    plan = FaultPlan()
    rule = plan.add(THROTTLE)
    assert rule in plan
    plan.remove(rule)
    assert rule not in plan
    assert plan.actions_for(request()) == []


def test_a_seed_makes_chance_repeatable() -> None:
    def drawn(seed: int) -> list[bool]:
        plan = FaultPlan(seed=seed)
        plan.add(THROTTLE, probability=0.5)
        return [bool(plan.actions_for(request())) for _ in range(40)]

    assert drawn(7) == drawn(7)
    assert 5 < sum(drawn(7)) < 35


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


def test_the_lag_counts_from_the_end_of_the_write() -> None:
    now = [0.0]
    lag = IndexLag({"items": ("item_id",)}, seconds=1.0, monotonic=lambda: now[0])
    item = {"item_id": {"S": "a"}}
    write = request("PutItem", Item=item)
    query = request(IndexName="by_sentiment")
    answer = json.dumps({"Items": [item], "Count": 1, "ScannedCount": 1}).encode()

    before = lag.begin(write)
    assert json.loads(lag.filter(query, answer))["Items"] == []
    now[0] = 5.0
    lag.end(before, succeeded=True)
    now[0] = 5.9
    assert json.loads(lag.filter(query, answer))["Count"] == 0
    now[0] = 6.0
    assert lag.filter(query, answer) is answer


def test_queries_of_the_table_itself_do_not_lag() -> None:
    lag = IndexLag({"items": ("item_id",)}, seconds=60.0, monotonic=lambda: 0.0)
    item = {"item_id": {"S": "a"}}
    lag.begin(request("PutItem", Item=item))
    answer = json.dumps({"Items": [item], "Count": 1, "ScannedCount": 1}).encode()
    assert lag.filter(request(), answer) is answer


def test_a_changed_body_gets_its_own_length_and_no_old_checksum() -> None:
    message = RawMessage(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nx-amz-crc32: 1\r\nX-Kept: yes\r\n\r\n", b"abc"
    )
    changed = message.with_body(b"longer")
    assert changed.header("content-length") == "6"
    assert changed.header("x-amz-crc32") is None
    assert changed.header("x-kept") == "yes"
    assert changed.head.endswith(b"\r\n\r\n")
