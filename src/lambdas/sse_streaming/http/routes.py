"""Which route a request means. Pure."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from urllib.parse import unquote

from lambdas.sse_streaming.http.answers import RequestError


class Route(enum.Enum):
    STREAM = enum.auto()
    CONFIGURATION_STREAM = enum.auto()
    CLOSE = enum.auto()
    STATUS = enum.auto()
    HEALTH = enum.auto()
    TRACE = enum.auto()


@dataclass(frozen=True, slots=True)
class Match:
    """A route, the one variable part that its path may have, and the route's name for people."""

    route: Route
    name: str
    argument: str = ""


_TABLE: tuple[tuple[str, str, Route], ...] = (
    ("GET", "/stream", Route.STREAM),
    ("GET", "/stream/status", Route.STATUS),
    ("DELETE", "/stream/{connection_id}", Route.CLOSE),
    ("POST", "/stream/{connection_id}/close", Route.CLOSE),
    ("GET", "/configurations/{config_id}/stream", Route.CONFIGURATION_STREAM),
    ("GET", "/health", Route.HEALTH),
    ("GET", "/trace", Route.TRACE),
)
_PATTERNS = {path: re.compile(re.sub(r"\{\w+\}", "([^/]+)", path)) for _, path, _ in _TABLE}


def find_route(method: str, path: str, *, has_trace_route: bool) -> Match:
    """Raises RequestError: 404 for an unknown path, 405 for a known one with another method.

    The path is as it came, percent-encoded; a route's argument is decoded.
    """
    rows = [row for row in _TABLE if row[2] is not Route.TRACE or has_trace_route]
    # /stream/status is no connection's path, whatever the method.
    literal = [row for row in rows if row[1] == path]
    allowed: list[str] = []
    for wanted, template, route in literal or rows:
        found = _PATTERNS[template].fullmatch(path)
        if found is None:
            continue
        if wanted == method:
            argument = unquote(found.group(1)) if found.groups() else ""
            return Match(route, f"{method} {template}", argument)
        allowed.append(wanted)
    if allowed:
        raise RequestError(
            405,
            "method_not_allowed",
            f"this path answers {' and '.join(sorted(allowed))}",
            {"allow": ", ".join(sorted(allowed))},
        )
    raise RequestError(404, "not_found", "no such path; see /stream and /health")
