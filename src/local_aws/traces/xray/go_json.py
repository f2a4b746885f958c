"""JSON as Go's encoding/json writes it, for the size of what the collector sends.

Source: https://pkg.go.dev/encoding/json#Marshal (HTML escaping, number format) and
https://pkg.go.dev/encoding/json#Encoder.Encode (the newline at the end).
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from decimal import Decimal

_SHORT_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
# `<`, `>` and `&` for the sake of HTML, U+2028 and U+2029 for the sake of JavaScript; U+FFFD stands
# here for bytes that are not UTF-8, which Go writes as an escape too.
_ESCAPED = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\ufffd]')
_PADDED_EXPONENT = re.compile(r"e-0(\d)$")


def encode(value: object) -> bytes:
    """What `json.NewEncoder(w).Encode(value)` writes, its final newline included.

    Dictionaries keep their order: Go keeps a struct's and sorts a map's keys, so a caller that
    stands for a map sorts. Raises ValueError for NaN and infinity, as Go does.
    """
    return (_text(value) + "\n").encode("utf-8", "surrogateescape")


def _text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bytes):
        return _string(base64.b64encode(value).decode())
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_string(str(k))}:{_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    raise TypeError(f"no JSON for {type(value).__name__}")


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"JSON has no number for {value}; the exporter gives up the whole span")
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return _PADDED_EXPONENT.sub(r"e-\1", repr(value))


def _string(value: str) -> str:
    return '"' + _ESCAPED.sub(_escape, value) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    return _SHORT_ESCAPES.get(char) or f"\\u{ord(char):04x}"
