"""Responses that stream natively from Lambda's managed Python, both phases in one X-Ray trace.

Public is what `__all__` names. Each name is imported when it is first asked for (PEP 562), so that
a cold start pays only for what the app uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lambda_streaming.version import __version__

if TYPE_CHECKING:
    from lambda_streaming.functions.event_stream import EventStream, ServerSentEvent
    from lambda_streaming.handlers import asgi, streaming, wsgi
    from lambda_streaming.requests import BadRequest, Request
    from lambda_streaming.responses import Response, StreamingResponse
    from lambda_streaming.tracing.diagnosis.report import trace_report
    from lambda_streaming.tracing.step import step

__all__ = [
    "BadRequest",
    "EventStream",
    "Request",
    "Response",
    "ServerSentEvent",
    "StreamingResponse",
    "__version__",
    "asgi",
    "step",
    "streaming",
    "trace_report",
    "wsgi",
]

_MODULES = {
    "BadRequest": "lambda_streaming.requests",
    "EventStream": "lambda_streaming.functions.event_stream",
    "Request": "lambda_streaming.requests",
    "Response": "lambda_streaming.responses",
    "ServerSentEvent": "lambda_streaming.functions.event_stream",
    "StreamingResponse": "lambda_streaming.responses",
    "asgi": "lambda_streaming.handlers",
    "step": "lambda_streaming.tracing.step",
    "streaming": "lambda_streaming.handlers",
    "trace_report": "lambda_streaming.tracing.diagnosis.report",
    "wsgi": "lambda_streaming.handlers",
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
