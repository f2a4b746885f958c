"""Which route a request means. Pure."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from lambdas.sse_streaming.errors import RequestError


class Route(enum.Enum):
    STREAM = enum.auto()
    CONFIGURATION_STREAM = enum.auto()
    CLOSE = enum.auto()
    STATUS = enum.auto()
    HEALTH = enum.auto()
    TRACE = enum.auto()


@dataclass(frozen=True, slots=True)
class Match:
    """A route and the one variable part that its path may have."""

    route: Route
    argument: str = ""


_TABLE: tuple[tuple[str, re.Pattern[str], Route], ...] = (
    ("GET", re.compile(r"/stream"), Route.STREAM),
    ("GET", re.compile(r"/stream/status"), Route.STATUS),
    ("DELETE", re.compile(r"/stream/([^/]+)"), Route.CLOSE),
    ("POST", re.compile(r"/stream/([^/]+)/close"), Route.CLOSE),
    ("GET", re.compile(r"/configurations/([^/]+)/stream"), Route.CONFIGURATION_STREAM),
    ("GET", re.compile(r"/health"), Route.HEALTH),
    ("GET", re.compile(r"/trace"), Route.TRACE),
)


def find_route(method: str, path: str, *, has_trace_route: bool) -> Match:
    """Raises RequestError: 404 for an unknown path, 405 for a known one with another method."""
    allowed: list[str] = []
    for wanted, pattern, route in _TABLE:
        found = pattern.fullmatch(path)
        if found is None or (route is Route.TRACE and not has_trace_route):
            continue
        if wanted == method:
            return Match(route, found.group(1) if found.groups() else "")
        allowed.append(wanted)
    if allowed:
        raise RequestError(
            405, "method_not_allowed", f"this path answers {' and '.join(sorted(allowed))}"
        )
    raise RequestError(404, "not_found", "no such path; see /stream and /health")
