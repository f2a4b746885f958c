"""A trace that is recorded: one root span, its steps, their AWS requests, roll-ups.

Annotations are named on the root only (X-Ray takes 50 per trace).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from opentelemetry.context import Context, attach
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

from lambda_streaming.tracing.budget.planned import PlannedSpan, plan_request, plan_step
from lambda_streaming.tracing.budget.policy import LAST_PLACES, SpanBudget
from lambda_streaming.tracing.budget.rollup import Rollups
from lambda_streaming.tracing.failures import ExceptionRecord, Failure
from lambda_streaming.tracing.header import TraceHeader, xray_trace_id
from lambda_streaming.tracing.step import AwsRequest, Keep, Offload, Scalar, Step, Trace

if TYPE_CHECKING:
    from lambda_streaming.tracing.export.app_spans import RunningTraces

_FAULT = Status(StatusCode.ERROR)
UNFINISHED = "unfinished"
_WAS_UNFINISHED = ExceptionRecord(UNFINISHED, "under way when the stream ended", "", "")


class SampledTrace(Trace):
    """A trace whose header says that it is recorded. Thread-safe.

    Steps still under way at `end` are recorded as unfinished, once. A `Keep.LAST` step that ends
    after the root (after SIGTERM a slot is released while the spans are exported) still has its own
    span; any other is lost, and `on_lost` is called with its number of spans.
    """

    def __init__(
        self,
        tracer: Tracer,
        name: str,
        header: TraceHeader,
        *,
        offload: Offload,
        now_ns: Callable[[], int],
        budget: SpanBudget,
        slow_ms: float,
        link_to: tuple[str, str] | None,
        attributes: Mapping[str, Scalar],
        spans_lost: Callable[[], int],
        export: Callable[[], None],
        on_lost: Callable[[int], None],
        running: RunningTraces | None = None,
    ) -> None:
        assert header.trace_id is not None
        super().__init__(xray_trace_id(header.trace_id), offload)
        self._tracer = tracer
        self._name = name
        self._now_ns = now_ns
        self._budget = budget
        self._slow_ns = slow_ms * 1e6
        self._attributes = attributes
        self._spans_lost = spans_lost
        self._export = export
        self._on_lost = on_lost
        self._running = running
        self._lock = threading.Lock()
        self._rollups = Rollups(now_ns())
        self._under_way: dict[int, Step] = {}
        self._held: dict[str, Step] = {}
        self._folded_spans = 0
        self._has_ended = False
        self._has_exported_early = False
        parent = _parent_context(header)
        links = [Link(_remote(*link_to))] if link_to else None
        self._root = tracer.start_span(
            name, parent, SpanKind.INTERNAL, links=links, start_time=now_ns()
        )
        self._context = set_span_in_context(self._root, parent)
        self.span_id = f"{self._root.get_span_context().span_id:016x}"
        if running is not None:
            running.begin(int(header.trace_id, 16), self)

    def step_began(self, step: Step) -> None:
        step.started_ns = self._now_ns()
        with self._lock:
            self._under_way[id(step)] = step

    def step_ended(self, step: Step, error: BaseException | None) -> None:
        if error is not None:
            step.failure = Failure.of(error)
        step.ended_ns = self._now_ns()
        with self._lock:
            if self._under_way.pop(id(step), None) is not None:
                self._place(step)

    def record(self, name: str, started_ns: int, /, **attributes: Scalar) -> None:
        ended_ns = self._now_ns()
        with self._lock:
            if not (self._budget.is_spent or self._has_ended):
                # What _place does, at less cost: this is called for every event.
                planned = PlannedSpan(name, started_ns, ended_ns, attributes)
                span = self._budget.place(planned, None, is_slow=False)
                if span is not None:
                    self._emit(span)
                    return
            self._place(Step(name, started_ns, attributes, trace=self, ended_ns=ended_ns))

    def record_last(self, step: Step) -> None:
        with self._lock:
            if self._has_ended or not self._emit_last(step):
                self._place(step)

    def make_current(self) -> None:
        attach(self._context)
        self.holds_app_spans = self._running is not None

    def claim_span(self) -> bool:
        with self._lock:
            has_place = not self._has_ended and self._budget.claim()
            self._folded_spans += not has_place
        return has_place

    def charge_span(self, span: PlannedSpan) -> None:
        with self._lock:
            self._budget.charge(span)

    def add_request(self, request: AwsRequest) -> None:
        step = Step(
            request.name,
            request.started_ns,
            {},
            ended_ns=request.ended_ns,
            failure=request.failure,
        )
        with self._lock:
            self._place(step, lambda: plan_request(request, self._budget.stacks))

    def export_early(self) -> None:
        if not self._has_exported_early:
            self._has_exported_early = True
            self._export()

    def export(self) -> None:
        self._export()

    def end(
        self,
        attributes: Mapping[str, Scalar],
        *,
        annotations: Sequence[str] = (),
        error: BaseException | None = None,
        is_fault: bool = False,
        interrupted: bool = False,
    ) -> None:
        with self._lock:
            if self._has_ended:
                return
            for step in self._unfinished(interrupted=interrupted):
                self._place(step)
            self._under_way.clear()
            for step in self._held.values():
                if not self._emit_last(step):
                    self._rollups.add(step)
            self._has_ended = True
            for span in self._rollups.spans():
                self._emit(span)
            self._end_root(attributes, annotations, error, is_fault=is_fault)

    def _end_root(
        self,
        attributes: Mapping[str, Scalar],
        annotations: Sequence[str],
        error: BaseException | None,
        *,
        is_fault: bool,
    ) -> None:
        own: dict[str, Scalar] = {
            "spans_rolled_up": self._rollups.span_count + self._folded_spans,
            "spans_lost": self._spans_lost(),
        }
        chain = () if error is None else self._budget.stacks.unsent(Failure.of(error).chain)
        full = PlannedSpan(self._name, 0, 0, {**own, **self._attributes, **attributes}, chain)
        root = self._budget.root(full) or PlannedSpan(self._name, 0, 0, own)
        self._root.set_attributes(root.attributes)
        if annotations:
            self._root.set_attribute(
                "aws.xray.annotations", tuple(key for key in annotations if key in root.attributes)
            )
        _add_exceptions(self._root, root.chain)
        if is_fault:
            self._root.set_status(_FAULT)
        self._root.end(self._now_ns())
        if self._running is not None:
            self._running.end(self._root.get_span_context().trace_id, self)

    def _unfinished(self, *, interrupted: bool) -> list[Step]:
        """Copies of the steps under way, as they are now: threads may go on with them.

        AWS requests are reported when they are answered, so one that hangs shows as its step.
        """
        now_ns = self._now_ns()
        copies = []
        for step in self._under_way.values():
            copy = Step(
                step.name,
                step.started_ns,
                dict(step.attributes),
                keep=step.keep,
                ended_ns=now_ns,
                requests=step.requests,
            )
            copy.set(request_count=len(copy.requests), is_request_count_partial=True)
            # On SIGTERM most steps under way are cut off without having failed.
            hangs = not interrupted or copy.duration_ns >= self._slow_ns
            chain = (_WAS_UNFINISHED,) if hangs else ()
            copy.failure = Failure(chain, UNFINISHED, is_fault=hangs)
            copies.append(copy)
        return copies

    def _place(self, step: Step, plan: Callable[[], PlannedSpan] | None = None) -> None:
        """The step has ended: it gets its own span, or goes into a roll-up."""
        if self._has_ended:
            if step.keep is not Keep.LAST or not self._emit_last(step):
                self._on_lost(step.span_count)
            return
        error_type = None if step.failure is None else step.failure.error_type
        is_slow = step.ended_ns - step.started_ns >= self._slow_ns
        if self._budget.has_place(step.name, error_type, is_slow=is_slow):
            planned = plan() if plan else plan_step(step, self._budget.stacks)
            span = self._budget.place(planned, error_type, is_slow=is_slow)
            if span is not None:
                self._emit(span)
                return
        is_known = step.name in self._held
        if step.keep is Keep.LAST and (is_known or len(self._held) < LAST_PLACES):
            if is_known:
                self._rollups.add(self._held[step.name])
            self._held[step.name] = step
        else:
            self._rollups.add(step)

    def _emit_last(self, step: Step) -> bool:
        """Returns whether there was a place for it."""
        span = self._budget.last_place(plan_step(step, self._budget.stacks))
        if span is not None:
            self._emit(span)
        return span is not None

    def _emit(self, planned: PlannedSpan) -> None:
        self._folded_spans += planned.folded_requests
        span = self._start(planned, self._context)
        if planned.children:
            context = set_span_in_context(span, self._context)
            for child in planned.children:
                self._start(child, context).end(child.ended_ns)
        span.end(planned.ended_ns)

    def _start(self, planned: PlannedSpan, context: Context) -> Span:
        kind = SpanKind.CLIENT if planned.is_request else SpanKind.INTERNAL
        span = self._tracer.start_span(
            planned.name, context, kind, planned.attributes, start_time=planned.started_ns
        )
        if planned.chain:
            _add_exceptions(span, planned.chain)
        if planned.is_fault:
            span.set_status(_FAULT)
        return span


def _add_exceptions(span: Span, chain: Iterable[ExceptionRecord]) -> None:
    for link in chain:
        attributes = {"exception.type": link.type, "exception.message": link.message}
        if link.stack:
            attributes["exception.stacktrace"] = link.stack
        span.add_event("exception", attributes)


def probe_span(tracer: Tracer, name: str, header: TraceHeader, now_ns: int) -> None:
    """One span of the streaming phase, to see whether it arrives."""
    span = tracer.start_span(name, _parent_context(header), start_time=now_ns)
    span.end(now_ns)


def _parent_context(header: TraceHeader) -> Context:
    assert header.trace_id is not None
    assert header.parent_id is not None
    remote = NonRecordingSpan(_remote(header.trace_id, header.parent_id))
    return set_span_in_context(remote, Context())


def _remote(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(TraceFlags.SAMPLED))
