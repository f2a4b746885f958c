"""What a span will say, before it exists: so that its size can be known and refused.

Here is decided what each step becomes in X-Ray: AWS attributes on the requests' own spans only (a
span that carries `aws.service` loses its name to it), both HTTP status keys (the collector's
exporter judges error and fault by the old key alone), one exception per link of a chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lambda_streaming.tracing.failures import ExceptionRecord
from lambda_streaming.tracing.step import AwsRequest, Scalar, Step

SHORT_MESSAGE_LENGTH = 100
_MAX_PLACES = 100


@dataclass(slots=True)
class SpanDraft:
    """`service` is set for the span of one AWS request; `requests` are the children of a step."""

    name: str
    started_ns: int
    ended_ns: int
    attributes: Mapping[str, Scalar]
    chain: tuple[ExceptionRecord, ...] = ()
    is_fault: bool = False
    service: str | None = None
    requests: tuple[SpanDraft, ...] = ()
    folded_requests: int = 0
    """AWS requests that are only counted in the step's own span."""

    @property
    def span_count(self) -> int:
        return 1 + len(self.requests)


class Stacks:
    """A stack goes along once per exception type and place; its repetitions would say nothing new.

    Bounded: once the memory is full, all go without. `once_each=False` sends every one.
    """

    def __init__(self, *, once_each: bool = True) -> None:
        self._once_each = once_each
        self._sent: set[tuple[str, str]] = set()

    def choose(self, chain: tuple[ExceptionRecord, ...]) -> tuple[ExceptionRecord, ...]:
        """The chain, with the stacks that did not go along before."""
        return tuple(link if self._is_new(link) else without_stack(link) for link in chain)

    def remember(self, draft: SpanDraft) -> None:
        """The draft's stacks are on their way."""
        if not self._once_each:
            return
        for one in (draft, *draft.requests):
            for link in one.chain:
                if link.stack:
                    self._sent.add((link.type, link.place))

    def _is_new(self, link: ExceptionRecord) -> bool:
        return len(self._sent) < _MAX_PLACES and (link.type, link.place) not in self._sent


def without_stack(link: ExceptionRecord) -> ExceptionRecord:
    return replace(link, stack="") if link.stack else link


def shortened(link: ExceptionRecord) -> ExceptionRecord:
    """What fits in anywhere: the type, and how the message begins."""
    return replace(link, message=link.message[:SHORT_MESSAGE_LENGTH], stack="")


def draft_step(step: Step, stacks: Stacks | None) -> SpanDraft:
    """The step's own span and its requests'. None for `stacks`: without any."""
    draft = SpanDraft(step.name, step.started_ns, step.ended_ns, step.attributes)
    if step.failure is not None:
        draft.attributes = {**draft.attributes, "error_type": step.failure.error_type}
        draft.chain = _chosen(step.failure.chain, stacks)
        draft.is_fault = step.failure.is_fault
    if step.requests:
        draft.attributes = {"request_count": len(step.requests), **draft.attributes}
        # The step's exception was raised from the request's: that one's stack need not come twice.
        told_places = {link.place for link in step.failure.chain} if step.failure else set()
        draft.requests = tuple(
            _draft_request(request, stacks, told_places) for request in step.requests
        )
    return draft


def smaller_drafts(step: Step, draft: SpanDraft) -> Iterator[SpanDraft]:
    """The step's own span, saying less and less: without stacks, then with its AWS requests only
    counted as in a roll-up, then of its exceptions the last one's type and beginning alone."""
    if any(link.stack for one in (draft, *draft.requests) for link in one.chain):
        yield draft_step(step, None)
    chain = tuple(map(without_stack, draft.chain))
    attributes = draft.attributes
    if step.requests:
        times_ns = [request.ended_ns - request.started_ns for request in step.requests]
        attributes = {
            **attributes,
            "request_ms_sum": milliseconds(sum(times_ns)),
            "request_ms_max": milliseconds(max(times_ns)),
        }
        yield _folded(draft, attributes, chain, len(times_ns))
    if chain:
        yield _folded(draft, attributes, (shortened(chain[-1]),), len(step.requests))


def _folded(
    draft: SpanDraft,
    attributes: Mapping[str, Scalar],
    chain: tuple[ExceptionRecord, ...],
    request_count: int,
) -> SpanDraft:
    return replace(
        draft, attributes=attributes, chain=chain, requests=(), folded_requests=request_count
    )


def milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)


def _draft_request(request: AwsRequest, stacks: Stacks | None, told_places: set[str]) -> SpanDraft:
    attributes: dict[str, Scalar] = {
        "rpc.system": "aws-api",
        "aws.service": request.service,
        "aws.operation": request.operation,
        "aws.region": request.region,
    }
    if request.table is not None:
        attributes["aws.table_name"] = request.table
    if request.request_id is not None:
        attributes["aws.request_id"] = request.request_id
    if request.status is not None:
        attributes["http.status_code"] = request.status
        attributes["http.response.status_code"] = request.status
    chain = request.failure.chain if request.failure else ()
    if told_places:
        chain = tuple(without_stack(link) if link.place in told_places else link for link in chain)
    return SpanDraft(
        request.name,
        request.started_ns,
        request.ended_ns,
        attributes,
        chain=_chosen(chain, stacks),
        is_fault=request.failure is not None and request.failure.is_fault,
        service=request.service,
    )


def _chosen(
    chain: tuple[ExceptionRecord, ...], stacks: Stacks | None
) -> tuple[ExceptionRecord, ...]:
    if not chain:
        return ()
    return tuple(map(without_stack, chain)) if stacks is None else stacks.choose(chain)
