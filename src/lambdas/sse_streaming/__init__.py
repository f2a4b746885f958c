"""Server-Sent Events streamed natively from a Lambda, traced in both of its phases.

    from lambdas.sse_streaming import FeedSchema, QueryParameter, feed

    handler = feed(FeedSchema("job", "tenant", QueryParameter("tenant"), "time", "job_id"))

Public is what `__all__` names. Each name is imported when it is first asked for (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lambda_streaming import __version__

if TYPE_CHECKING:
    from lambdas.sse_streaming.feeds.schema import (
        Caller,
        FeedSchema,
        Filter,
        FixedValues,
        QueryParameter,
    )
    from lambdas.sse_streaming.serving.feed_handler import feed

__all__ = [
    "Caller",
    "FeedSchema",
    "Filter",
    "FixedValues",
    "QueryParameter",
    "__version__",
    "feed",
]

_MODULES = {
    "Caller": "lambdas.sse_streaming.feeds.schema",
    "FeedSchema": "lambdas.sse_streaming.feeds.schema",
    "Filter": "lambdas.sse_streaming.feeds.schema",
    "FixedValues": "lambdas.sse_streaming.feeds.schema",
    "QueryParameter": "lambdas.sse_streaming.feeds.schema",
    "feed": "lambdas.sse_streaming.serving.feed_handler",
}

# Hidden from type checkers: they would take every misspelt name for an object.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_MODULES[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
