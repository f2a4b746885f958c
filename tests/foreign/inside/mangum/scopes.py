"""Our scope as Mangum's tests know one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEYS = frozenset(
    {
        *("type", "asgi", "http_version", "method", "scheme", "client", "server", "headers"),
        *("path", "raw_path", "root_path", "query_string", "aws.event", "aws.context"),
    }
)


def as_mangums(scope: Mapping[str, Any]) -> dict[str, Any]:
    """ASGI 2.4 has a raw path and OSError from `send`, which Mangum's tests do not know; headers
    are pairs of any kind in ASGI, and a client that is not known is None."""
    kept = {key: value for key, value in scope.items() if key in _KEYS}
    return kept | {
        "asgi": {"version": "3.0", "spec_version": "2.0"},
        "raw_path": None,
        "client": scope["client"] or (None, 0),
        "headers": [
            [name, value]
            for name, value in scope["headers"]
            if name != b"content-length" or _has_length(scope["aws.event"])
        ],
    }


def _has_length(event: Mapping[str, Any]) -> bool:
    """An app here is told the length of its request's body in any case."""
    maps = (event.get("headers"), event.get("multiValueHeaders"))
    return any(name.lower() == "content-length" for one in maps for name in one or ())
