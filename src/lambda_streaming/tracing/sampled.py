"""A trace that is recorded: one root span, its steps, their AWS requests, roll-ups.

Annotations are named on the root only (X-Ray takes 50 per trace).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

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

from lambda_streaming.tracing.budget import Claim, SpanBudget, UnlimitedBudget
from lambda_streaming.tracing.drafts import (
    SpanDraft,
    draft_step,
    shortened,
    smaller_drafts,
    without_stack,
)
from lambda_streaming.tracing.failures import ExceptionRecord, Failure
from lambda_streaming.tracing.header import TraceHeader, xray_trace_id
from lambda_streaming.tracing.rollup import Rollups
from lambda_streaming.tracing.size import estimated_bytes, estimated_root_bytes
from lambda_streaming.tracing.step import AwsRequest, Keep, Offload, Scalar, Step, Trace

_FAULT = Status(StatusCode.ERROR)
UNFINISHED = "unfinished"
_WAS_UNFINISHED = ExceptionRecord(UNFINISHED, "under way when the stream ended", "", "")


class SampledTrace(Trace):
    """A trace whose header says that it is recorded. Thread-safe.

    Steps still under way at `end` are recorded as unfinished, once. A `Keep.LAST` step that ends
    after the root (a process that is told to exit releases a slot while its spans leave) still
    has its own span; any other is lost, and `on_lost` is told how many spans.
    """

    def __init__(
        self,
        tracer: Tracer,
        name: str,
        header: TraceHeader,
        *,
        offload: Offload,
        now_ns: Callable[[], int],
        budget: SpanBudget | UnlimitedBudget,
        slow_ms: float,
        link_to: tuple[str, str] | None,
        spans_lost: Callable[[], int],
        export: Callable[[], None],
        on_lost: Callable[[int], None],
    ) -> None:
        assert header.trace_id is not None
        super().__init__(xray_trace_id(header.trace_id), offload)
        self._tracer = tracer
        self._name = name
        self._now_ns = now_ns
        self._budget = budget
        self._slow_ns = slow_ms * 1e6
        self._has_link = link_to is not None
        self._spans_lost = spans_lost
        self._export = export
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._rollups = Rollups(now_ns())
        self._under_way: dict[int, Step] = {}
        self._held: dict[str, Step] = {}
        self._folded_requests = 0
        self._has_ended = False
        self._has_exported_early = False
        parent = _parent_context(header)
        links = [Link(_remote(*link_to))] if link_to else None
        self._root = tracer.start_span(
            name, parent, SpanKind.INTERNAL, links=links, start_time=now_ns()
        )
        self._context = set_span_in_context(self._root, parent)
        self.span_id = f"{self._root.get_span_context().span_id:016x}"

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
                self._settle(step)

    def record(self, name: str, started_ns: int, /, **attributes: Scalar) -> None:
        step = Step(name, started_ns, attributes, ended_ns=self._now_ns())
        with self._lock:
            self._settle(step)

    def add_request(self, request: AwsRequest) -> None:
        step = Step(
            request.name,
            request.started_ns,
            {},
            ended_ns=request.ended_ns,
            requests=(request,),
            failure=request.failure,
        )
        with self._lock:
            self._settle(step)

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
                self._settle(step)
            self._under_way.clear()
            for step in self._held.values():
                if not self._has_own_span(step, Claim.ONCE):
                    self._rollups.add(step)
            self._has_ended = True
            for draft in self._rollups.drafts(self._budget.rollup_bytes):
                self._budget.spend(estimated_bytes(draft))
                self._emit(draft)
            self._budget.close()
            said: dict[str, Scalar] = {
                **attributes,
                "spans_rolled_up": self._rollups.span_count + self._folded_requests,
                "spans_lost": self._spans_lost(),
            }
            self._root.set_attributes(said)
            if annotations:
                self._root.set_attribute(
                    "aws.xray.annotations", tuple(key for key in annotations if key in said)
                )
            if error is not None:
                _add_exceptions(self._root, self._root_chain(said, Failure.of(error)))
            if is_fault:
                self._root.set_status(_FAULT)
            self._root.end(self._now_ns())

    def _root_chain(
        self, attributes: Mapping[str, Scalar], failure: Failure
    ) -> tuple[ExceptionRecord, ...]:
        """As much of the chain as there is room for; the exception's type in any case."""
        bare = tuple(map(without_stack, failure.chain))
        for chain in (self._budget.stacks.choose(failure.chain), bare):
            draft = SpanDraft(self._name, 0, 0, attributes, chain)
            size = estimated_root_bytes(draft, has_link=self._has_link)
            if size <= self._budget.root_bytes:
                return chain
        return (shortened(bare[-1]),)

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
            # When the process is told to exit, most of what is under way has done nothing wrong.
            hangs = not interrupted or copy.duration_ns >= self._slow_ns
            chain = (_WAS_UNFINISHED,) if hangs else ()
            copy.failure = Failure(chain, UNFINISHED, is_fault=hangs)
            copies.append(copy)
        return copies

    def _settle(self, step: Step) -> None:
        failure, is_slow = step.failure, step.duration_ns >= self._slow_ns
        claim = self._budget.claim(
            step.name, None if failure is None else failure.error_type, is_slow=is_slow
        )
        if self._has_ended:
            if step.keep is not Keep.LAST or not self._has_own_span(step, Claim.ONCE):
                self._on_lost(step.span_count)
        elif claim is not None and self._has_own_span(step, claim):
            return
        elif step.keep is Keep.LAST:
            earlier = self._held.get(step.name)
            if earlier is not None:
                self._rollups.add(earlier)
            self._held[step.name] = step
        else:
            self._rollups.add(step)

    def _has_own_span(self, step: Step, claim: Claim) -> bool:
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
