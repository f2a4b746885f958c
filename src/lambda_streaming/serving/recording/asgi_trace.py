"""A request of an ASGI app in its trace.

The handler phase, `## handler`, is X-Ray's and lasts until the app's answer begins. The root span
`asgi_request` lasts from the call of the app to its return, with `asgi_handler` (until the answer
begins), `asgi_stream` (until it is complete) and `asgi_background` (what the app does afterwards)
below it. Never a span per message.

The app's own OpenTelemetry joins: the root is the current span in the app's context, and the
request's `traceparent` is the root's. Starlette's and FastAPI's middlewares look at that header
alone (`propagate.extract(headers)` with an empty context).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from lambda_streaming.bridge.observer import EndReason
from lambda_streaming.bridge.scope import framework_route
from lambda_streaming.bridge.types import Scope
from lambda_streaming.requests import Request
from lambda_streaming.serving.recording.instruments import Answer
from lambda_streaming.serving.recording.routes import NO_ROUTE, shortened
from lambda_streaming.serving.recording.tracers import Tracers
from lambda_streaming.tracing.failures import Failure
from lambda_streaming.tracing.header import TraceHeader, client_chose_trace, parse_trace_header
from lambda_streaming.tracing.step import Keep, Scalar, Step, Trace

ROOT = "asgi_request"

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_BACKGROUND_NS = 5_000_000
"""Shorter work after the answer is the app returning."""


class AsgiTracing:
    def __init__(self, tracers: Tracers) -> None:
        self._tracers = tracers

    async def run(self, call: Callable[[], Awaitable[Answer]], request: Request) -> Answer:
        with self._tracers.handler_phase.recorded() as span_id:
            self._tracers.bind_log(span_id)
            return await call()

    def observe(self, request: Request) -> _TracedRequest:
        return _TracedRequest(request, self._tracers)


class _TracedRequest:
    """The observer of one request."""

    def __init__(self, request: Request, tracers: Tracers) -> None:
        self._request = request
        self._tracers = tracers
        self._clock = tracers.clock
        self._called_ns = self._clock.wall_ns()
        self._head_ns: int | None = None
        self._body_ended_ns: int | None = None
        self._is_complete = False
        self._error: BaseException | None = None
        self._trace = Trace(None)
        self._facts: dict[str, Scalar] = {"is_cold_start": tracers.invocations.is_first()}
        self._scope: Scope = {}

    def began(self, scope: Scope) -> None:
        self._scope = scope
        if client_chose_trace(self._request):
            self._facts["trace_from_client"] = True
        header = parse_trace_header(getattr(self._request.context, "trace_header", None))
        joins = self._tracers.joins
        link = _client_span(self._request) if joins else None
        self._trace = trace = self._tracers.tracing.start(ROOT, header, link_to=link)
        trace.enter_streaming_phase()
        self._tracers.bind_log(trace.span_id)
        if joins:
            trace.make_current()
            _show(header, trace.span_id, scope)

    def head_sent(self, status: int) -> None:
        self._head_ns = self._clock.wall_ns()
        self._facts["http.status_code"] = self._facts["http.response.status_code"] = status
        self._tracers.annotate("status", status)
        self._tracers.annotate("route", self._route())
        self._record("asgi_handler", self._called_ns)

    def first_byte(self) -> None:
        self._facts["first_byte_ms"] = self._ms_since(self._called_ns)

    def body_ended(self, body_bytes: int, chunks: int, is_complete: bool) -> None:
        self._is_complete = is_complete
        self._body_ended_ns = self._clock.wall_ns()
        self._facts["bytes_sent"] = body_bytes
        self._facts["chunks_sent"] = chunks
        if chunks > 1 and self._head_ns is not None:
            self._facts["stream_ms"] = self._ms_since(self._head_ns)
            self._record("asgi_stream", self._head_ns, bytes_sent=body_bytes, chunks_sent=chunks)

    def app_returned(self, error: BaseException | None) -> None:
        self._error = error
        ended_ns = self._body_ended_ns
        if ended_ns is None or not self._is_complete:
            return  # what an app does after the early end of its answer is its way out
        if self._clock.wall_ns() - ended_ns > _BACKGROUND_NS:
            self._facts["background_ms"] = self._ms_since(ended_ns)
            self._record("asgi_background", ended_ns, error)

    def ended(self, reason: EndReason) -> None:
        request, error = self._request, self._error
        status = self._facts.get("http.status_code", 0)
        self._trace.end(
            {
                **self._facts,
                "http.request.method": request.method,
                "http.method": request.method,
                "http.route": self._route(),
                "end_reason": reason.value,
            },
            annotations=(
                "http.route",
                "http.status_code",
                "end_reason",
                "is_cold_start",
                "trace_from_client",
            ),
            error=error,
            is_fault=reason is EndReason.FAILED or (isinstance(status, int) and status >= 500),
            interrupted=reason is EndReason.SHUTDOWN,
        )

    def _record(
        self,
        name: str,
        started_ns: int,
        error: BaseException | None = None,
        **attributes: Scalar,
    ) -> None:
        step = Step(
            name,
            started_ns,
            attributes,
            trace=self._trace,
            keep=Keep.LAST,
            ended_ns=self._clock.wall_ns(),
            failure=None if error is None else Failure.of(error),
        )
        self._trace.record_last(step)

    def _ms_since(self, instant_ns: int) -> float:
        return round((self._clock.wall_ns() - instant_ns) / 1e6, 3)

    def _route(self) -> str:
        """The framework's, which is known when it has looked. What nobody serves has one name: who
        asks for it chooses the path."""
        route = framework_route(self._scope)
        if route is not None:
            return route
        if self._facts.get("http.status_code") == 404:
            return NO_ROUTE
        return shortened(self._request.path)


def _client_span(request: Request) -> tuple[str, str] | None:
    """The span that the client says it calls from: linked, since X-Ray's trace is another one."""
    match = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    return None if match is None else (match[1], match[2])


def _show(header: TraceHeader, span_id: str | None, scope: Scope) -> None:
    """The trace in the request's headers, in the place of the client's."""
    parent_id = span_id or header.parent_id
    if header.trace_id is None or parent_id is None:
        return
    sampled = "01" if header.records else "00"
    traceparent = f"00-{header.trace_id}-{parent_id}-{sampled}"
    xray = f"Root={header.root};Parent={parent_id};Sampled={int(header.records)}"
    own: list[tuple[bytes, bytes]] = [
        (b"traceparent", traceparent.encode()),
        (b"x-amzn-trace-id", xray.encode()),
    ]
    names = {name for name, _ in own}
    headers: list[Any] = scope["headers"]
    headers[:] = [*(pair for pair in headers if pair[0] not in names), *own]
