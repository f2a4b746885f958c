"""`make publish FILE=items.jsonl`: items from a file, one JSON object a line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from local_aws.items import ItemError, complete_item

_PROGRESS_EVERY_SECONDS = 2.0

Put = Callable[[Mapping[str, Any]], None]


def read_items(
    lines: Iterable[str], *, now_ms: int
) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """The good items, and for each bad line its number and what is wrong; skips empty lines."""
    items: list[dict[str, Any]] = []
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
            if not isinstance(given, dict):
                raise ItemError("not a JSON object")
            items.append(complete_item(given, now_ms=now_ms))
        except json.JSONDecodeError as error:
            bad.append((number, f"not JSON: {error.msg} at column {error.colno}"))
        except ItemError as error:
            bad.append((number, str(error)))
    return items, bad


def restamp(items: Iterable[Mapping[str, Any]], *, now_ms: int) -> list[dict[str, Any]]:
    """The items moved in time: the earliest is published now, the others as long after it as they
    were. The function holds each one back until it is due, so a file plays at its own pace.
    """
    kept = [dict(item) for item in items]
    shift_ms = now_ms - min((item["published_at"] for item in kept), default=now_ms)
    return [{**item, "published_at": item["published_at"] + shift_ms} for item in kept]


def publish(
    lines: Iterable[str],
    put: Put,
    *,
    keep_times: bool,
    say: Callable[[str], None],
    wall_clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """Publishes the good lines and names the bad ones; True when there was none of those."""
    now_ms = int(wall_clock() * 1000)
    items, bad = read_items(lines, now_ms=now_ms)
    for number, reason in bad:
        say(f"line {number}: {reason}")
    if not keep_times:
        items = restamp(items, now_ms=now_ms)
    said_at = monotonic()
    for done, item in enumerate(items, start=1):
        put(item)
        if monotonic() - said_at >= _PROGRESS_EVERY_SECONDS:
            said_at = monotonic()
            say(f"{done} of {len(items)} published …")
    say(f"{len(items)} published, {len(bad)} bad.")
    return not bad


def put_into(dynamodb: Any, table: str) -> Put:
    """Writes items with a DynamoDB client."""
    serializer = TypeSerializer()

    def put(item: Mapping[str, Any]) -> None:
        attributes = {name: serializer.serialize(value) for name, value in item.items()}
        dynamodb.put_item(TableName=table, Item=attributes)

    return put
