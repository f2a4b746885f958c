"""`make drain TABLE=…`: asks every stream to end and refuses new ones for a while.

The drain mark, an item of the connections table, expires by itself: one that is forgotten does no
lasting harm.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

DEFAULT_SECONDS = 600
_MAX_DAYS = 366


class DrainError(ValueError):
    """The drain was not set: its end cannot be read, or its table cannot be reached."""


def drain_until(text: str | None, *, now: float) -> int:
    """The drain's end in epoch seconds, 0 to lift it. `text`: None, +SECONDS, an ISO 8601 time (UTC
    without a zone), or 0. Raises DrainError, also for an end in the past or over _MAX_DAYS ahead.
    """
    if text is None or text == "":
        return int(now) + DEFAULT_SECONDS
    if text == "0":
        return 0
    try:
        end = now + float(text[1:]) if text.startswith("+") else _moment(text)
    except (ValueError, OverflowError):
        raise DrainError(
            f"UNTIL={text!r}: give +SECONDS, a time as YYYY-MM-DDTHH:MM:SSZ, or 0"
        ) from None
    if not now < end <= now + _MAX_DAYS * 86_400:
        raise DrainError(
            f"UNTIL={text!r}: a drain ends within {_MAX_DAYS} days from now, and not in the past;"
            " 0 lifts one"
        )
    return math.ceil(end)


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def mark(dynamodb: Any, table: str, *, until: int) -> None:
    """Writes the drain mark, or deletes it if `until` is 0. Raises what boto3 raises."""
    key = {"pk": {"S": "control"}, "sk": {"S": "drain"}}
    if until == 0:
        dynamodb.delete_item(TableName=table, Key=key)
    else:
        dynamodb.put_item(TableName=table, Item={**key, "until": {"N": str(until)}})
