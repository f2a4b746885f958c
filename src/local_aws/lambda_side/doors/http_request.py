"""An HTTP request as it came to a front door, and what the doors' events have in common."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """`headers` in the order of arrival, names in lower case, repeated ones repeated."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    source_ip: str
    protocol: str = "HTTP/1.1"

    @property
    def path(self) -> str:
        """Percent-encoded, as it came."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """Percent-encoded, as it came."""
        return self.target.partition("?")[2]

    @property
    def joined_headers(self) -> dict[str, str]:
        return joined(self.headers)


def joined(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """One value for each name, repeated ones joined with commas."""
    values: dict[str, str] = {}
    for name, value in pairs:
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def lists(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Every value of each name."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def body_as_text(body: bytes, content_type: str, text_types: tuple[str, ...]) -> tuple[str, bool]:
    """The event's body, and whether it is base64: text of these types is not."""
    if content_type.lower().startswith(text_types):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), bool(body)
