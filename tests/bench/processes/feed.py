"""The service on a feed that is always full: every poll finds items that nobody has seen.

Set as the handler (`tests.bench.processes.feed.handler`), it replaces what botocore gives for a
Query of the items' index and hands over to the service. So what is measured begins where a poll has
its result, whatever the code that takes it.
"""

from __future__ import annotations

import os
import time
from importlib import import_module
from itertools import count, cycle
from typing import Any

from botocore.client import BaseClient

from tests.bench.standins.items import item

_POLLS_PREPARED = 2


class FullFeed:
    """Pages made beforehand; only the time of publication is new, one object for a whole page.

    What one poll gave is on the wire before the next one: the service reads nothing more before.
    """

    def __init__(self, items_per_poll: int) -> None:
        template, numbers = item(0, 0), count()

        def page() -> tuple[dict[str, str], list[dict[str, Any]]]:
            published = {"N": "0"}
            return published, [
                {
                    **template,
                    "item_id": {"S": f"bench-{next(numbers):012d}"},
                    "published_at": published,
                }
                for _ in range(items_per_poll)
            ]

        self._pages = cycle([page() for _ in range(_POLLS_PREPARED)])

    def answer(self, query: dict[str, Any]) -> dict[str, Any]:
        if {"S": "positive"} not in query["ExpressionAttributeValues"].values():
            return {"Items": [], "Count": 0}
        published, items = next(self._pages)
        published["N"] = str(time.time_ns() // 1_000_000)
        return {"Items": items, "Count": len(items)}


def fill_the_index(items_per_poll: int) -> None:
    feed = FullFeed(items_per_poll)
    call = BaseClient._make_api_call

    def answered(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "Query" and "IndexName" in parameters:
            return feed.answer(parameters)
        return call(client, operation, parameters)

    BaseClient._make_api_call = answered


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    fill_the_index(int(os.environ["BENCH_ITEMS_PER_POLL"]))
    module, _, name = os.environ["BENCH_HANDLER"].rpartition(".")
    handler = getattr(import_module(module), name)
