from __future__ import annotations

import json
from typing import Any

from local_aws.data.faults import ProxiedRequest
from local_aws.data.index_lag import IndexLag


def request(operation: str = "Query", **parameters: Any) -> ProxiedRequest:
    return ProxiedRequest(operation, ("items",), "key", {"TableName": "items", **parameters})


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
