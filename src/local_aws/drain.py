"""`make drain TABLE=…`: asks every stream to end and refuses new ones for a while.

The mark expires by itself, so that a forgotten one does no lasting harm.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

DEFAULT_SECONDS = 600


class DrainError(ValueError):
    """The drain was not set: its end cannot be read, or its table cannot be reached."""


def drain_until(text: str | None, *, now: float) -> int:
    """Epoch seconds. `text`: None, +SECONDS, an ISO 8601 time (UTC when it names no zone), or 0,
    which lifts a drain. Raises DrainError.
    """
    if text is None or text == "":
        return int(now) + DEFAULT_SECONDS
    if text == "0":
        return 0
    try:
        if text.startswith("+"):
            return int(now + float(text[1:]))
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DrainError(
            f"UNTIL={text!r}: give +SECONDS, a time such as 2030-01-31T12:00:00Z, or 0"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp())


def mark(dynamodb: Any, table: str, *, until: int) -> None:
    """Writes the mark, or deletes it when `until` is 0."""
    key = {"pk": {"S": "control"}, "sk": {"S": "drain"}}
    if until == 0:
        dynamodb.delete_item(TableName=table, Key=key)
    else:
        dynamodb.put_item(TableName=table, Item={**key, "until": {"N": str(until)}})
