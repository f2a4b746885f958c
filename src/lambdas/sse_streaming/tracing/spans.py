"""The streaming phase's spans: one root per stream, its steps, their AWS requests, roll-ups.

Annotations are named on the root only (X-Ray takes 50 per trace). A step becomes a draft first,
and a span when the budget has room for it (drafts.py, budget.py, rollup.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

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

from lambdas.sse_streaming.tracing.budget import LAST_STEPS, Claim, SpanBudget, UnlimitedBudget
from lambdas.sse_streaming.tracing.drafts import (
    SpanDraft,
    draft_step,
    shortened,
    smaller_drafts,
    without_stack,
)
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
_KEEPS_LAST = "cloudwatch_put_metric"
"""Like polls while a stream runs; the last one ends it."""
_SHUTDOWN = "shutdown"
UNFINISHED = "unfinished"
_WAS_UNFINISHED = ExceptionRecord(UNFINISHED, "under way when the stream ended", "", "")


class SampledStream:
    """The trace of one stream whose header says that it is recorded.

    Any thread may call it. A step that is under way at `end` (a request that hung) is recorded
    then, as unfinished, and whatever becomes of it later is not recorded again. One that begins
    after `end` (a process that is told to exit releases its slot while its spans leave) still has
    its own span, or is lost, and `on_lost` is told.
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
        self._under_way: dict[int, Operation] = {}
        self._held: Operation | None = None
        self._folded_requests = 0
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
        step = Operation(name, self._now_ns(), dict(attributes))
        with self._lock:
            self._under_way[id(step)] = step
        return step

    def finish(self, step: Operation, error: BaseException | None = None) -> None:
        """The step ends now: it becomes a span with its AWS requests, or part of a roll-up."""
        if error is not None:
            step.failure = Failure.of(error)
        step.ended_ns = self._now_ns()
        with self._lock:
            if self._under_way.pop(id(step), None) is not None:
                self._settle(step)

    def dispatched(
        self, started_ns: int, event_type: str, latency_ms: float | None, is_cold_start: bool
    ) -> None:
        """One block was made at `started_ns` and is now with the Runtime API."""
        attributes: dict[str, Scalar] = {"event_type": event_type, "is_cold_start": is_cold_start}
        if latency_ms is not None:
            attributes["latency_ms"] = latency_ms
        step = Operation("sse_event_dispatch", started_ns, attributes, ended_ns=self._now_ns())
        with self._lock:
            self._settle(step)

    def export_early(self) -> None:
        """Send what has ended so far, once: a stream is visible in X-Ray before it ends."""
        if not self._has_exported_early:
            self._has_exported_early = True
            self._export()

    def export(self) -> None:
        """Send what has ended so far, without waiting for it."""
        self._export()

    def end(self, facts: StreamFacts, error: BaseException | None) -> None:
        """Record what is under way as unfinished; close the roll-ups and the root."""
        with self._lock:
            if self._has_ended:
                return
            for step in self._unfinished(facts.end_reason):
                self._settle(step)
            self._under_way.clear()
            if self._held is not None and not self._has_own_span(self._held, Claim.ONCE):
                self._rollups.add(self._held)
            self._has_ended = True
            for draft in self._rollups.drafts(self._budget.rollup_bytes):
                self._budget.spend(estimated_bytes(draft))
                self._emit(draft)
            self._budget.close()
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
            "spans_rolled_up": self._rollups.span_count + self._folded_requests,
            "spans_lost": self._spans_lost(),
            **facts.clock_facts,
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
        for chain in (self._budget.stacks.choose(failure.chain), bare):
            draft = SpanDraft("sse_stream", 0, 0, attributes, chain)
            size = estimated_root_bytes(draft, has_link=self._previous_trace_id is not None)
            if size <= self._budget.root_bytes:
                return chain
        return (shortened(bare[-1]),)

    def _unfinished(self, end_reason: str) -> list[Operation]:
        """Copies of the steps under way, as they are now: threads may go on with them.

        AWS requests are reported when they are answered, so one that hangs shows as its step.
        """
        now_ns = self._now_ns()
        copies = []
        for step in self._under_way.values():
            copy = Operation(step.name, step.started_ns, dict(step.attributes), ended_ns=now_ns)
            copy.requests = list(step.requests)
            copy.set(request_count=len(copy.requests), is_request_count_partial=True)
            # When the process is told to exit, most of what is under way has done nothing wrong.
            hangs = end_reason != _SHUTDOWN or now_ns - step.started_ns >= self._slow_ns
            chain = (_WAS_UNFINISHED,) if hangs else ()
            copy.failure = Failure(chain, UNFINISHED, is_fault=hangs)
            copies.append(copy)
        return copies

    def _settle(self, step: Operation) -> None:
        failure, is_slow = step.failure, step.ended_ns - step.started_ns >= self._slow_ns
        claim = self._budget.claim(
            step.name, None if failure is None else failure.error_type, is_slow=is_slow
        )
        if self._has_ended:
            if step.name not in LAST_STEPS or not self._has_own_span(step, Claim.ONCE):
                self._on_lost(step.span_count)
        elif claim is not None and self._has_own_span(step, claim):
            return
        elif step.name == _KEEPS_LAST:
            if self._held is not None:
                self._rollups.add(self._held)
            self._held = step
        else:
            self._rollups.add(step)

    def _has_own_span(self, step: Operation, claim: Claim) -> bool:
        """Give the step its own span if there is room for one that says enough."""
        budget = self._budget
        draft = draft_step(step, budget.stacks)
        if not budget.allows(draft, claim):
            if claim is Claim.ORDINARY:
                return False
            for smaller in smaller_drafts(step, draft):
                if budget.allows(smaller, claim):
                    draft = smaller
                    break
            else:
                return False
        if draft.chain or draft.requests:
            budget.stacks.remember(draft)
        self._folded_requests += draft.folded_requests
        self._emit(draft)
        return True

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
