"""The text/event-stream encoder (WHATWG HTML, section 9.2). Pure: values in, bytes out.

Rules that other servers get wrong and clients punish: the encoder rejects rather than repairs;
data is split at CR, LF and CRLF alike, and at nothing else (`str.splitlines` also splits at
U+2028); a block is one bytes object, in the order event, id, retry, data, LF only; a comment is
one line with no blank line after it, because fetch-event-source and httpx-sse deliver an empty
message for a comment followed by a blank line.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from decimal import Decimal
from typing import Any

MAX_BLOCK_BYTES = 4 * 1024 * 1024
"""No DynamoDB item (400 KB) can outgrow this, even when JSON escapes every character."""

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_FORBIDDEN_IN_FIELD = re.compile(r"[\r\n\0]")
_RESERVED_EVENTS = frozenset({"error", "open", "close"})


class InvalidEvent(ValueError):
    """The caller gave something that no event stream can carry; nothing was written."""


def encode_event(
    data: str | bytes,
    *,
    event: str = "",
    event_id: str | int | None = None,
    retry_ms: int | None = None,
) -> bytes:
    """One complete block. `data` may hold any line breaks; an empty string is a real, empty event.

    Raises InvalidEvent for an id or name with CR, LF or NUL, an id that begins with a blank, a
    name that EventSource listeners take for a transport error, a retry that is no whole number of
    milliseconds, text that is not UTF-8, and blocks above MAX_BLOCK_BYTES.
    """
    lines: list[str] = []
    if event:
        lines.append("event: " + _checked_event(event))
    if event_id is not None:
        lines.append("id: " + _checked_id(event_id))
    if retry_ms is not None:
        lines.append(f"retry: {_checked_retry(retry_ms)}")
    lines.extend("data: " + line for line in _LINE_BREAK.split(_checked_data(data)))
    try:
        block = ("\n".join(lines) + "\n\n").encode()
    except UnicodeEncodeError as error:
        raise InvalidEvent("data holds a lone surrogate, which UTF-8 cannot carry") from error
    if len(block) > MAX_BLOCK_BYTES:
        raise InvalidEvent(f"a block of {len(block)} bytes is above {MAX_BLOCK_BYTES}")
    return block


def encode_json_event(json_line: str, event: str, event_id: str) -> bytes:
    """A block whose data is one JSON text and whose name and id are the program's own: nothing to
    split or check. A lone surrogate in the JSON becomes `?`: the data came from elsewhere, and an
    item that no client can receive must not end every stream that meets it."""
    return f"event: {event}\nid: {event_id}\ndata: {json_line}\n\n".encode(errors="replace")


def encode_comment(text: str = "") -> bytes:
    """Comment lines: ignored by every client, but they keep idle connections open."""
    if "\0" in text:
        raise InvalidEvent("a comment cannot hold NUL")
    return "".join(f": {line}\n" if line else ":\n" for line in _LINE_BREAK.split(text)).encode()


def to_json(value: Any) -> str:
    """Compact JSON on one line. Decimal becomes a number, datetime ISO 8601, bytes base64, a set
    a sorted list.

    Raises InvalidEvent for NaN, infinities, and types that JSON has no form for.
    """
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_jsonable
        )
    except (ValueError, TypeError) as error:
        raise InvalidEvent(f"not JSON: {error}") from error


def _jsonable(value: object) -> object:
    match value:
        case Decimal():
            if not value.is_finite():
                raise ValueError("NaN and infinities are not JSON")
            return int(value) if value == value.to_integral_value() else float(value)
        case dt.datetime() | dt.date():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(bytes(value)).decode()
        case set() | frozenset():
            return sorted(value, key=lambda member: (str(type(member)), member))
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _checked_event(event: str) -> str:
    if _FORBIDDEN_IN_FIELD.search(event):
        raise InvalidEvent("an event name cannot hold CR, LF or NUL")
    if event in _RESERVED_EVENTS:
        raise InvalidEvent(f"event {event!r} would reach EventSource's own handlers")
    return event


def _checked_id(event_id: str | int) -> str:
    if isinstance(event_id, bool):
        raise InvalidEvent("an id is text or a whole number, not a bool")
    text = str(event_id)
    if _FORBIDDEN_IN_FIELD.search(text):
        raise InvalidEvent("an id cannot hold CR, LF or NUL")
    if text.startswith(" "):
        raise InvalidEvent("clients drop a blank at the beginning of an id")
    return text


def _checked_retry(retry_ms: int) -> int:
    if isinstance(retry_ms, bool) or not isinstance(retry_ms, int) or retry_ms < 0:
        raise InvalidEvent(f"retry is a whole number of milliseconds, not {retry_ms!r}")
    return retry_ms


def _checked_data(data: str | bytes) -> str:
    if isinstance(data, str):
        return data
    if not isinstance(data, bytes):
        raise InvalidEvent(f"data is text, not {type(data).__name__}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent("data is not UTF-8") from error
