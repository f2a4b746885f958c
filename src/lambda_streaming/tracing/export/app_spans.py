"""Spans of the app's own OpenTelemetry, in the trace of its invocation and within its budget.

FastAPI's and Starlette's telemetry, the instrumentations of httpx or botocore, and what an app
traces itself, go to the process's global TracerProvider. Where the app has set none, one of ours
takes its place: its spans are children of the streaming phase's root, and leave with its spans.

A place in the span budget is claimed when a span begins. Where there is none left, the span and all
below it are not made, so none is without its parent, and the root counts it as rolled up.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    ProxyTracerProvider,
    SpanKind,
    TraceState,
    get_current_span,
    get_tracer_provider,
    set_tracer_provider,
)
from opentelemetry.util.types import Attributes

from lambda_streaming.tracing.budget.planned import PlannedSpan
from lambda_streaming.tracing.failures import ExceptionRecord
from lambda_streaming.tracing.step import Scalar

if TYPE_CHECKING:
    from lambda_streaming.tracing.export.buffer import SpanBuffer

_MAX_ATTRIBUTE_CHARACTERS = 1_000
_MAX_ATTRIBUTES = 40
_MAX_EVENTS = 10


class Budgeted(Protocol):
    """A trace that runs now."""

    def claim_span(self) -> bool:
        """Whether there is a place for a span that begins; one that is refused is counted."""

    def charge_span(self, span: PlannedSpan) -> None:
        """A span that had a place has ended, and says so much."""


class RunningTraces:
    """By trace id. Thread-safe."""

    def __init__(self) -> None:
        self._traces: dict[int, Budgeted] = {}

    def begin(self, trace_id: int, trace: Budgeted) -> None:
        self._traces[trace_id] = trace

    def end(self, trace_id: int, trace: Budgeted) -> None:
        if self._traces.get(trace_id) is trace:
            del self._traces[trace_id]

    def get(self, trace_id: int) -> Budgeted | None:
        return self._traces.get(trace_id)


_joining = threading.Lock()


def join_app_spans(
    resource: Resource, buffer: SpanBuffer, traces: RunningTraces
) -> TracerProvider | None:
    """Makes a provider of ours the global one, and gives it; None where there is another."""
    with _joining:
        if isinstance(get_tracer_provider(), ProxyTracerProvider):
            provider = TracerProvider(
                sampler=_WithinBudget(traces),
                resource=resource,
                span_limits=_LIMITS,
                shutdown_on_exit=False,
            )
            provider.add_span_processor(_ToTrace(buffer, traces))
            set_tracer_provider(provider)
            return provider
    return None


_LIMITS = SpanLimits(
    max_span_attributes=_MAX_ATTRIBUTES,
    max_events=_MAX_EVENTS,
    max_links=_MAX_EVENTS,
    max_event_attributes=_MAX_ATTRIBUTES,
    max_attribute_length=_MAX_ATTRIBUTE_CHARACTERS,
)


class _WithinBudget(Sampler):
    """Below the root of a running trace, as long as its budget lasts. Never begins a trace: whether
    one is recorded is X-Ray's decision."""

    def __init__(self, traces: RunningTraces) -> None:
        self._traces = traces

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        parent = get_current_span(parent_context).get_span_context()
        if parent.is_valid and parent.trace_flags.sampled:
            trace = self._traces.get(parent.trace_id)
            if trace is not None and trace.claim_span():
                return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, parent.trace_state)
        return SamplingResult(Decision.DROP)

    def get_description(self) -> str:
        return "WithinSpanBudget"


class _ToTrace(SpanProcessor):
    def __init__(self, buffer: SpanBuffer, traces: RunningTraces) -> None:
        self._buffer = buffer
        self._traces = traces

    def on_start(self, span: Span, parent_context: Context | None = None) -> None: ...

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is None or not context.trace_flags.sampled:
            return
        trace = self._traces.get(context.trace_id)
        if trace is not None:
            trace.charge_span(_planned(span))
        self._buffer.add(_inside_the_function(span))

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        self._buffer.flush(timeout_millis / 1000)
        return True


def _inside_the_function(span: ReadableSpan) -> ReadableSpan:
    """A SERVER span becomes a segment of its own in X-Ray, a second node beside the function's
    (awsxrayexporter/internal/translator/segment.go)."""
    if span.kind is not SpanKind.SERVER:
        return span
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=span.events,
        links=span.links,
        kind=SpanKind.INTERNAL,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _planned(span: ReadableSpan) -> PlannedSpan:
    """What the budget has to know of it: how large it is."""
    attributes: dict[str, Scalar] = {}
    for key, value in (span.attributes or {}).items():
        attributes[key] = value if isinstance(value, str | bool | int | float) else str(value)
    chain = tuple(
        ExceptionRecord(
            str((event.attributes or {}).get("exception.type", "")),
            str((event.attributes or {}).get("exception.message", "")),
            str((event.attributes or {}).get("exception.stacktrace", "")),
            "",
        )
        for event in span.events
        if event.name == "exception"
    )
    is_request = span.kind in (SpanKind.CLIENT, SpanKind.PRODUCER)
    return PlannedSpan(span.name, 0, 0, attributes, chain, is_request=is_request)
