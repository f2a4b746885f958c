"""Adds up what DynamoDB charged, by operation and table."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from local_aws.data.faults import ProxiedRequest

# A conditional write that fails is charged too, but the error names no capacity: AWS, "DynamoDB
# condition expression CLI example", on capacity of failed conditional writes. Items of up to 1 KB
# are assumed.
_FAILED_CONDITION_UNITS = 1.0


class Capacity:
    """`units[operation, table]`: read or write units, as the operation says."""

    def __init__(self) -> None:
        self.units: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.requests: defaultdict[tuple[str, str], int] = defaultdict(int)

    def add(self, request: ProxiedRequest, status: int, body: bytes) -> None:
        table = request.tables[0] if request.tables else ""
        self.requests[request.operation, table] += 1
        if b"ConditionalCheckFailed" in body and status == 400:
            self.units[request.operation, table] += _FAILED_CONDITION_UNITS
        elif b'"ConsumedCapacity"' in body:
            consumed = json.loads(body)["ConsumedCapacity"]
            for one in consumed if isinstance(consumed, list) else [consumed]:
                self._add_one(request.operation, one)

    def total(self, *, operation: str | None = None, table: str | None = None) -> float:
        """The units charged, filtered by operation and table."""
        return sum(
            units
            for (its_operation, its_table), units in list(self.units.items())
            if operation in (None, its_operation) and table in (None, its_table)
        )

    def clear(self) -> None:
        self.units.clear()
        self.requests.clear()

    def _add_one(self, operation: str, consumed: dict[str, Any]) -> None:
        self.units[operation, consumed["TableName"]] += float(consumed["CapacityUnits"])
