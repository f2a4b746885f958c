"""Makes index answers lag behind writes, as an eventually consistent index does.

A write younger than the lag is left out of Query and Scan answers of an index. Pages end where the
engine ended them: one may hold fewer items than its Limit, or none, and still have a
LastEvaluatedKey, as on DynamoDB. Two simplifications: an update hides its item for a while instead
of showing the old one, and a deletion does not lag.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from local_aws.data.faults import ProxiedRequest

_REMEMBERED_SECONDS = 60.0  # the longest lag that can be set

Key = tuple[str, str]


class IndexLag:
    """`key_names`: the key attributes of each table. `seconds` may be changed at any time."""

    def __init__(
        self,
        key_names: Mapping[str, Sequence[str]],
        *,
        seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self.seconds = seconds
        self._key_names = key_names
        self._monotonic = monotonic
        self._written_at: OrderedDict[Key, float] = OrderedDict()

    def begin(self, request: ProxiedRequest) -> dict[Key, float | None]:
        """Notes a request's writes before it goes to the engine, so that no index answer shows one
        that is not noted yet. Returns what `end` takes.
        """
        before = {key: self._written_at.get(key) for key in self._written_keys(request)}
        self._stamp(before)
        return before

    def end(self, before: dict[Key, float | None], *, succeeded: bool) -> None:
        """Call with the engine's answer: the lag counts from here. A refused write is forgotten."""
        if succeeded:
            self._stamp(before)
            return
        for key, written_at in before.items():
            if written_at is None:
                self._written_at.pop(key, None)
            else:
                self._written_at[key] = written_at

    def filter(self, request: ProxiedRequest, body: bytes) -> bytes:
        """The answer without the writes that the index does not show yet."""
        if not self.seconds or "IndexName" not in request.parameters:
            return body
        answer = json.loads(body)
        items = answer.get("Items")
        if not items:
            return body
        table = request.tables[0]
        seen = [item for item in items if not self._is_hidden(table, item)]
        if len(seen) == len(items):
            return body
        hidden = len(items) - len(seen)
        answer["Items"] = seen
        answer["Count"] -= hidden
        answer["ScannedCount"] -= hidden
        return json.dumps(answer, separators=(",", ":")).encode()

    def _stamp(self, keys: Iterable[Key]) -> None:
        now = self._monotonic()
        for key in keys:
            self._written_at[key] = now
            self._written_at.move_to_end(key)
        while self._written_at:
            oldest = next(iter(self._written_at))
            if now - self._written_at[oldest] <= _REMEMBERED_SECONDS:
                break
            del self._written_at[oldest]

    def _is_hidden(self, table: str, item: dict[str, Any]) -> bool:
        written_at = self._written_at.get(self._key(table, item))
        return written_at is not None and self._monotonic() - written_at < self.seconds

    def _key(self, table: str, attributes: dict[str, Any]) -> Key:
        names = self._key_names.get(table, ())
        return table, json.dumps([attributes.get(name) for name in names])

    def _written_keys(self, request: ProxiedRequest) -> Iterator[Key]:
        parameters = request.parameters
        match request.operation:
            case "PutItem":
                yield self._key(parameters["TableName"], parameters["Item"])
            case "UpdateItem":
                yield self._key(parameters["TableName"], parameters["Key"])
            case "BatchWriteItem":
                for table, writes in parameters["RequestItems"].items():
                    puts = (write["PutRequest"] for write in writes if "PutRequest" in write)
                    yield from (self._key(table, put["Item"]) for put in puts)
            case "TransactWriteItems":
                for action in parameters["TransactItems"]:
                    for kind, write in action.items():
                        if kind in ("Put", "Update"):
                            attributes = write.get("Item") or write["Key"]
                            yield self._key(write["TableName"], attributes)
