"""An HTTP request as it came to a front door, and what the doors' events have in common."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from local_aws.lambda_side.doors.request_log import Exchange

Pairs = list[tuple[str, str]]

_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """`headers` in the order of arrival, names in lower case, repeated ones repeated. `exchange` is
    where it is noted what becomes of the request.
    """

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    source_ip: str
    protocol: str = "HTTP/1.1"
    exchange: Exchange | None = None

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

    @property
    def cookies(self) -> list[str]:
        """Each NAME=value of the cookie headers."""
        return [
            cookie.strip()
            for name, value in self.headers
            if name == "cookie"
            for cookie in value.split(";")
        ]

    @property
    def query_pairs(self) -> Pairs:
        """Decoded."""
        return parse_qsl(self.query, keep_blank_values=True)

    def body_as_text(self) -> tuple[str, bool]:
        """The event's body, and whether it is base64: text is not."""
        if self.joined_headers.get("content-type", "").lower().startswith(_TEXT_TYPES):
            try:
                return self.body.decode(), False
            except UnicodeDecodeError:
                pass
        return self.body_as_base64()

    def body_as_base64(self) -> tuple[str, bool]:
        return base64.b64encode(self.body).decode(), bool(self.body)


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


def log_time(epoch_seconds: float) -> str:
    """In the Common Log Format, as API Gateway and Function URLs give a request's time."""
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%d/%b/%Y:%H:%M:%S %z")
