"""An HTTP request, whichever front door it came through. Plain values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class BadRequest(Exception):
    """A request that cannot be read: the client's fault, answered with 400.

    `code` is one word for programs, `message` a sentence for people; neither holds what a secret
    may stand in.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Pairs(Mapping[str, str]):
    """Names and values in the order they came; a name may repeat.

    As a mapping a repeated name means its last value, as a proxy that appends would expect.
    """

    __slots__ = ("_last", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)
        self._last = dict(self.pairs)

    def all(self, name: str) -> list[str]:
        """Every value of the name, in order; empty where it did not come."""
        return [value for one, value in self.pairs if one == name]

    def __getitem__(self, name: str) -> str:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def __repr__(self) -> str:
        """Names only: values may be secrets."""
        return f"{type(self).__name__}({', '.join(self._last)})"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as the function of `streaming` gets it.

    `raw_path` and `query_string` are percent-encoded, and ASCII; `path` and `query` are decoded,
    with U+FFFD for what is not UTF-8. Header names are lower case. `root_path` is the part of the
    path that the front door put before the app's own: a stage, a base path; `path` and `raw_path`
    include it, as in ASGI.

    `query` and `headers` are mappings, where a name that repeats means its last value;
    `request.query.all(name)` gives every one, in order. `body` is decoded where the event has it
    in base64.

    `client` is the address of who connected to the front door. `caller_arn` is the IAM identity
    that the front door checked: a user's ARN, or for an assumed role the role's ARN.
    `received_ms` is when the front door received it, on the front door's clock, in epoch
    milliseconds. `event` and `context` are what Lambda gave, whatever the front door.
    """

    method: str
    raw_path: str
    path: str
    query: Pairs = field(default_factory=Pairs)
    query_string: str = field(default="", repr=False)
    headers: Pairs = field(default_factory=Pairs)
    body: bytes = field(default=b"", repr=False)
    root_path: str = ""
    http_version: str = "1.1"
    client: str | None = None
    caller_arn: str | None = None
    received_ms: int | None = None
    event: Mapping[str, Any] = field(default_factory=dict, repr=False)
    context: Any = field(default=None, repr=False)

    @property
    def cookies(self) -> dict[str, str]:
        """Names and values of the cookie header: what is odd in one cookie hurts no other."""
        # SimpleCookie stops at the first that RFC 2109 does not know.
        header = self.headers.get("cookie")
        if not header:
            return {}
        # Starlette and Django take their quotes off in this way, too.
        from http.cookies import _unquote

        cookies: dict[str, str] = {}
        for part in header.split(";"):
            name, equals, value = part.partition("=")
            if not equals:  # a value without a name (RFC 6265bis, section 5.6)
                name, value = "", name
            if name.strip() or value.strip():
                cookies[name.strip()] = _unquote(value.strip())
        return cookies

    @property
    def last_event_id(self) -> str | None:
        """The position a returning SSE client presents: its header, None where it is empty."""
        return self.headers.get("last-event-id") or None

    def json(self) -> Any:
        """The body as JSON. Raises BadRequest where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise BadRequest("invalid_json", "the body is not JSON") from error
