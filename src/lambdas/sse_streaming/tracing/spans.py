"""The streaming phase's spans: one root per stream, its steps, their AWS requests, roll-ups.

What each becomes in X-Ray is decided here: kinds, both HTTP status keys (the collector's exporter
judges error and fault by the old key alone), one exception event per link of a chain, annotations
named on the root only (X-Ray takes 50 per trace), and AWS attributes on CLIENT children only (a
span that carries `aws.service` loses its own name).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from lambdas.sse_streaming.tracing.budget import MAX_ROLLUPS, SpanBudget, UnlimitedBudget
from lambdas.sse_streaming.tracing.header import TraceHeader, xray_trace_id
from lambdas.sse_streaming.tracing.operation import (
    AwsRequest,
    Failure,
    Operation,
    Scalar,
    StreamFacts,
)
from lambdas.sse_streaming.tracing.rollup import Rollup

ANNOTATIONS = (
    "connection_id",
    "session_id",
    "connection_sequence",
    "previous_trace_id",
    "end_reason",
    "is_cold_start",
)


class SampledStream:
    """The trace of one stream whose header says that it is recorded.

    Steps may end in any thread. Those that end after `end` (a request that hung past the end of
    its stream) are counted as rolled up nowhere: they are lost, and `on_lost` is told.
    """

    def __init__(
        self,
        tracer: Tracer,
        header: TraceHeader,
        *,
        now_ns: Callable[[], int],
        budget: SpanBudget | UnlimitedBudget,
        slow_ms: float,
        previous: tuple[str, str] | None,
        spans_lost: Callable[[], int],
        export: Callable[[], None],
        on_lost: Callable[[int], None],
    ) -> None:
        assert header.trace_id is not None
        self._tracer = tracer
        self._now_ns = now_ns
        self._budget = budget
        self._slow_ms = slow_ms
        self._previous_trace_id = xray_trace_id(previous[0]) if previous else None
        self._spans_lost = spans_lost
        self._export = export
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._rollups: dict[tuple[str, str | None], Rollup] = {}
        self._rollup_spans = 0
        self._rolled_up = 0
        self._has_ended = False
        self._has_exported_early = False
        parent = _parent_context(header)
        links = [Link(_remote(*previous))] if previous else None
        self._root = tracer.start_span(
            "sse_stream", parent, SpanKind.INTERNAL, links=links, start_time=now_ns()
        )
        self._context = set_span_in_context(self._root, parent)
        self.trace_id: str | None = xray_trace_id(header.trace_id)
        self.span_id: str | None = f"{self._root.get_span_context().span_id:016x}"

    def begin(self, name: str, **attributes: Scalar) -> Operation:
        """Start to measure a step."""
        return Operation(name, self._now_ns(), dict(attributes))

    def finish(self, step: Operation, error: BaseException | None = None) -> None:
        """The step ends now: it becomes a span with its AWS requests, or part of a roll-up."""
        if error is not None:
            step.failure = Failure.of(error)
        step.ended_ns = self._now_ns()
        self._settle(step)

    def dispatched(
        self, started_ns: int, event_type: str, latency_ms: float | None, is_cold_start: bool
    ) -> None:
        """One block was made at `started_ns` and is now with the Runtime API."""
        attributes: dict[str, Scalar] = {"event_type": event_type, "is_cold_start": is_cold_start}
        if latency_ms is not None:
            attributes["latency_ms"] = latency_ms
        self._settle(
            Operation("sse_event_dispatch", started_ns, attributes, ended_ns=self._now_ns())
        )

    def export_early(self) -> None:
        """Send what has ended so far, once: a stream is visible in X-Ray before it ends."""
        if not self._has_exported_early:
            self._has_exported_early = True
            self._export()

    def export(self) -> None:
        """Send what has ended so far, without waiting for it."""
        self._export()

    def end(self, facts: StreamFacts, error: BaseException | None) -> None:
        """Close the roll-ups and the root. Nothing is recorded afterwards."""
        with self._lock:
            self._has_ended = True
            for rollup in self._rollups.values():
                self._emit_rollup(rollup)
            self._rollups.clear()
            self._root.set_attributes(self._root_attributes(facts))
            if facts.end_reason == "error":
                if error is not None:
                    self._add_exceptions(self._root, Failure.of(error))
                self._root.set_status(Status(StatusCode.ERROR))
            self._root.end(self._now_ns())

    def _root_attributes(self, facts: StreamFacts) -> Mapping[str, Scalar | tuple[str, ...]]:
        attributes: dict[str, Scalar | tuple[str, ...]] = {
            "session_id": facts.session_id,
            "connection_sequence": facts.connection_sequence,
            "events_yielded": facts.events_yielded,
            "bytes_sent": facts.bytes_sent,
            "polls": facts.polls,
            "stream_ms": round(facts.stream_ms, 3),
            "end_reason": facts.end_reason,
            "is_cold_start": facts.is_cold_start,
            "spans_rolled_up": self._rolled_up,
            "spans_lost": self._spans_lost(),
        }
        if facts.connection_id is not None:
            attributes["connection_id"] = facts.connection_id
        if self._previous_trace_id is not None:
            attributes["previous_trace_id"] = self._previous_trace_id
        # Sorted as set, so that the same stream always makes the same document.
        attributes["aws.xray.annotations"] = tuple(key for key in ANNOTATIONS if key in attributes)
        return attributes

    def _settle(self, step: Operation) -> None:
        is_eventful = step.failure is not None or step.duration_ms >= self._slow_ms
        with self._lock:
            if self._has_ended:
                self._on_lost(step.span_count)
            elif self._budget.allows(step, is_eventful):
                self._emit(step)
            else:
                self._roll_up(step)

    def _roll_up(self, step: Operation) -> None:
        error_type = step.failure.error_type if step.failure else None
        key = (step.name, error_type)
        rollup = self._rollups.get(key)
        if rollup is None or (rollup.is_over(step.started_ns) and self._rollup_spans < MAX_ROLLUPS):
            if rollup is not None:
                self._emit_rollup(rollup)
            is_fault = step.failure is not None and step.failure.is_fault
            rollup = self._rollups[key] = Rollup(step.name, error_type, is_fault, step.started_ns)
        rollup.add(step)
        self._rolled_up += step.span_count

    def _emit_rollup(self, rollup: Rollup) -> None:
        self._rollup_spans += 1
        span = self._tracer.start_span(
            rollup.name,
            self._context,
            SpanKind.INTERNAL,
            rollup.attributes(),
            start_time=rollup.started_ns,
        )
        if rollup.is_fault:
            span.set_status(Status(StatusCode.ERROR))
        span.end(rollup.ended_ns)

    def _emit(self, step: Operation) -> None:
        if step.requests:
            step.attributes.setdefault("request_count", len(step.requests))
        span = self._tracer.start_span(
            step.name,
            self._context,
            SpanKind.INTERNAL,
            step.attributes,
            start_time=step.started_ns,
        )
        if step.failure is not None:
            span.set_attribute("error_type", step.failure.error_type)
            self._add_exceptions(span, step.failure)
            if step.failure.is_fault:
                span.set_status(Status(StatusCode.ERROR))
        if step.requests:
            context = set_span_in_context(span, self._context)
            for request in step.requests:
                self._emit_request(request, context)
        span.end(step.ended_ns)

    def _emit_request(self, request: AwsRequest, context: Context) -> None:
        attributes: dict[str, Scalar] = {
            "rpc.system": "aws-api",
            "aws.service": request.service,
            "aws.operation": request.name,
            "aws.region": request.region,
        }
        if request.table is not None:
            attributes["aws.table_name"] = request.table
        if request.request_id is not None:
            attributes["aws.request_id"] = request.request_id
        if request.status is not None:
            attributes["http.status_code"] = request.status
            attributes["http.response.status_code"] = request.status
        span = self._tracer.start_span(
            f"{SERVICE_IDS.get(request.service, request.service)}.{request.name}",
            context,
            SpanKind.CLIENT,
            attributes,
            start_time=request.started_ns,
        )
        if request.failure is not None:
            self._add_exceptions(span, request.failure)
            if request.failure.is_fault:
                span.set_status(Status(StatusCode.ERROR))
        span.end(request.ended_ns)

    def _add_exceptions(self, span: Span, failure: Failure) -> None:
        for link in failure.chain:
            attributes = {"exception.type": link.type, "exception.message": link.message}
            if link.stack and self._budget.wants_stack(link.type, link.place):
                attributes["exception.stacktrace"] = link.stack
            span.add_event("exception", attributes)


SERVICE_IDS: Mapping[str, str] = {"dynamodb": "DynamoDB", "monitoring": "CloudWatch"}


def probe_span(tracer: Tracer, header: TraceHeader, now_ns: int) -> None:
    """One span of the streaming phase, to see whether it arrives."""
    span = tracer.start_span("trace_probe", _parent_context(header), start_time=now_ns)
    span.end(now_ns)


def _parent_context(header: TraceHeader) -> Context:
    assert header.trace_id is not None
    assert header.parent_id is not None
    remote = NonRecordingSpan(_remote(header.trace_id, header.parent_id))
    return set_span_in_context(remote, Context())


def _remote(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(TraceFlags.SAMPLED))
