"""The streaming phase's spans: one root per stream, its steps, their AWS requests, roll-ups.

Annotations are named on the root only (X-Ray takes 50 per trace). A step becomes a draft first,
and a span when the budget has room for it (drafts.py, budget.py, rollup.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

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

from lambdas.sse_streaming.tracing.budget import SpanBudget, UnlimitedBudget
from lambdas.sse_streaming.tracing.drafts import SpanDraft, draft_step, without_stack
from lambdas.sse_streaming.tracing.header import TraceHeader, xray_trace_id
from lambdas.sse_streaming.tracing.operation import (
    ExceptionRecord,
    Failure,
    Operation,
    Scalar,
    StreamFacts,
)
from lambdas.sse_streaming.tracing.rollup import Rollups
from lambdas.sse_streaming.tracing.size import estimated_bytes, estimated_root_bytes

ANNOTATIONS = (
    "connection_id",
    "session_id",
    "connection_sequence",
    "previous_trace_id",
    "end_reason",
    "is_cold_start",
)
_FAULT = Status(StatusCode.ERROR)
_SHORT_MESSAGE_LENGTH = 100


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
        self._slow_ns = slow_ms * 1e6
        self._previous_trace_id = xray_trace_id(previous[0]) if previous else None
        self._spans_lost = spans_lost
        self._export = export
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._rollups = Rollups(now_ns())
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
            for draft in self._rollups.drafts(self._budget.rollup_bytes):
                self._budget.spend(estimated_bytes(draft))
                self._emit(draft)
            attributes = self._root_attributes(facts)
            self._root.set_attributes(attributes)
            # Sorted as set, so that the same stream always makes the same document.
            self._root.set_attribute(
                "aws.xray.annotations", tuple(key for key in ANNOTATIONS if key in attributes)
            )
            if facts.end_reason == "error":
                if error is not None:
                    _add_exceptions(self._root, self._root_chain(attributes, Failure.of(error)))
                self._root.set_status(_FAULT)
            self._root.end(self._now_ns())

    def _root_attributes(self, facts: StreamFacts) -> dict[str, Scalar]:
        attributes: dict[str, Scalar] = {
            "session_id": facts.session_id,
            "connection_sequence": facts.connection_sequence,
            "events_yielded": facts.events_yielded,
            "bytes_sent": facts.bytes_sent,
            "polls": facts.polls,
            "stream_ms": round(facts.stream_ms, 3),
            "end_reason": facts.end_reason,
            "is_cold_start": facts.is_cold_start,
            "spans_rolled_up": self._rollups.span_count,
            "spans_lost": self._spans_lost(),
        }
        if facts.connection_id is not None:
            attributes["connection_id"] = facts.connection_id
        if self._previous_trace_id is not None:
            attributes["previous_trace_id"] = self._previous_trace_id
        return attributes

    def _root_chain(
        self, attributes: Mapping[str, Scalar], failure: Failure
    ) -> tuple[ExceptionRecord, ...]:
        """As much of the chain as there is room for; the exception's type in any case."""
        bare = tuple(map(without_stack, failure.chain))
        last = replace(bare[-1], message=bare[-1].message[:_SHORT_MESSAGE_LENGTH])
        for chain in (self._budget.stacks.choose(failure.chain), bare):
            draft = SpanDraft("sse_stream", 0, 0, attributes, chain)
            size = estimated_root_bytes(draft, has_link=self._previous_trace_id is not None)
            if size <= self._budget.root_bytes:
                return chain
        return (last,)

    def _settle(self, step: Operation) -> None:
        is_eventful = step.failure is not None or step.ended_ns - step.started_ns >= self._slow_ns
        with self._lock:
            if self._has_ended:
                self._on_lost(step.span_count)
                return
            if self._budget.considers(is_eventful):
                draft = self._allowed_draft(step, is_eventful)
                if draft is not None:
                    self._budget.stacks.remember(draft)
                    self._emit(draft)
                    return
            self._rollups.add(step)

    def _allowed_draft(self, step: Operation, is_eventful: bool) -> SpanDraft | None:
        """The step's own span if there is room for it, if need be without stacks."""
        draft = draft_step(step, self._budget.stacks)
        if self._budget.allows(draft, is_eventful):
            return draft
        if any(link.stack for one in (draft, *draft.requests) for link in one.chain):
            bare = draft_step(step, None)
            if self._budget.allows(bare, is_eventful):
                return bare
        return None

    def _emit(self, draft: SpanDraft) -> None:
        span = self._start(draft, SpanKind.INTERNAL, self._context)
        if draft.requests:
            context = set_span_in_context(span, self._context)
            for request in draft.requests:
                self._start(request, SpanKind.CLIENT, context).end(request.ended_ns)
        span.end(draft.ended_ns)

    def _start(self, draft: SpanDraft, kind: SpanKind, context: Context) -> Span:
        span = self._tracer.start_span(
            draft.name, context, kind, draft.attributes, start_time=draft.started_ns
        )
        if draft.chain:
            _add_exceptions(span, draft.chain)
        if draft.is_fault:
            span.set_status(_FAULT)
        return span


def _add_exceptions(span: Span, chain: Iterable[ExceptionRecord]) -> None:
    for link in chain:
        attributes = {"exception.type": link.type, "exception.message": link.message}
        if link.stack:
            attributes["exception.stacktrace"] = link.stack
        span.add_event("exception", attributes)


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
