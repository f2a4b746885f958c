"""A feed's function: how the stack configures it, and how its streams are recognised.

The values suit one computer: short streams, so that rotation is seen, and fewer connection slots
than execution environments, so that the function's own refusal comes before Lambda's.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from local_aws.feed.declaration import Declaration

SETTING_PREFIX = "SSE_"
"""How the names of the service's own settings begin."""

DEFAULT_HEARTBEAT_SECONDS = 15.0


def feed_environment(declaration: Declaration, *, name: str) -> dict[str, str]:
    """The configured environment of a feed's function, which is called `name`."""
    return {
        "SSE_ITEMS_TABLE": "items",
        "SSE_CONNECTIONS_TABLE": "connections",
        "SSE_CONFIGURATIONS_TABLE": "configurations",
        "SSE_MAX_CONNECTIONS": "15",
        "SSE_MAX_STREAM_SECONDS": "50",
        "SSE_TRACE_ROUTE": "on",
        "SSE_AUTH": "iam" if declaration.needs_callers else "none",
        "POWERTOOLS_SERVICE_NAME": name,
        "OTEL_SERVICE_NAME": name,
    }


def new_secrets() -> dict[str, str]:
    """Variables with secrets that are new for each stack."""
    return {"SSE_ID_KEY": secrets.token_hex(16)}


def heartbeat_seconds(environ: Mapping[str, str]) -> float:
    """What the function is set to; a setting that is no number stops its init, not the stack."""
    try:
        return float(environ.get("SSE_HEARTBEAT_SECONDS") or DEFAULT_HEARTBEAT_SECONDS)
    except ValueError:
        return DEFAULT_HEARTBEAT_SECONDS


def is_stream(route: str) -> bool:
    """Whether a route, as the handler's annotation names it, answers with a stream."""
    return route.startswith("GET ") and route.endswith("/stream")
