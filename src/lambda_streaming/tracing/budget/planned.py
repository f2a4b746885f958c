"""What a span will say, and an upper bound of the X-Ray document that it becomes.

AWS attributes stand on the requests' own spans only (a span that carries `aws.service` loses its
name to it), with both HTTP status keys, since the collector's exporter takes error and fault from
the old one (exporter/awsxrayexporter/internal/translator of
https://github.com/open-telemetry/opentelemetry-collector-contrib).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from lambda_streaming.tracing.failures import ExceptionRecord
from lambda_streaming.tracing.step import AwsRequest, Scalar, Step

# Measured on documents that the exporter made (tests/data/xray-documents.jsonl), rounded up.
_DOCUMENT_BYTES = 370
_REQUEST_BYTES = 96
_STATUS_BYTES = 59
"""Of the two attributes that become the http block."""
_EXCEPTION_BYTES = 105
_FRAME_BYTES = 30
_MAX_NAME_BYTES = 200
_FRAME = re.compile(r'^  File "[^\n]*', re.MULTILINE)
_SHORT_MESSAGE_LENGTH = 100
_SHORTEST_MESSAGE_LENGTH = 20
_MAX_STACKS = 100


@dataclass(slots=True)
class PlannedSpan:
    """The span of a step, its AWS requests' as children; or of one AWS request (`is_request`)."""

    name: str
    started_ns: int
    ended_ns: int
    attributes: Mapping[str, Scalar]
    chain: tuple[ExceptionRecord, ...] = ()
    is_fault: bool = False
    is_request: bool = False
    children: tuple[PlannedSpan, ...] = ()
    folded_requests: int = 0
    """AWS requests that are only counted in the step's own span."""

    @property
    def span_count(self) -> int:
        return 1 + len(self.children)

    @property
    def max_bytes(self) -> int:
        """No document of this span and its children together is larger."""
        total = _DOCUMENT_BYTES + min(_text_bytes(self.name), _MAX_NAME_BYTES)
        for key, value in self.attributes.items():
            size = _text_bytes(value) if type(value) is str else _number_bytes(value)
            total += _text_bytes(key) + size + 2
        if self.is_request:
            total += _REQUEST_BYTES - _STATUS_BYTES * ("http.status_code" in self.attributes)
        if self.chain:
            total += sum(map(_exception_bytes, self.chain))
        if self.children:
            total += sum(child.max_bytes for child in self.children)
        return total

    def within(self, max_bytes: int) -> PlannedSpan | None:
        """This span, reduced until it fits: first without stacks, then with its AWS requests only
        counted, then with the beginning of the last exception alone, then with fewer attributes,
        from the last one on. None if nothing fits."""
        return next((one for one in self._smaller() if one.max_bytes <= max_bytes), None)

    def _smaller(self) -> Iterator[PlannedSpan]:
        yield self
        bare = replace(
            self,
            chain=tuple(map(without_stack, self.chain)),
            children=tuple(
                replace(one, chain=tuple(map(without_stack, one.chain))) for one in self.children
            ),
        )
        yield bare
        if self.children:
            times_ns = [one.ended_ns - one.started_ns for one in self.children]
            counted = {
                "request_ms_sum": milliseconds(sum(times_ns)),
                "request_ms_max": milliseconds(max(times_ns)),
            }
            bare = replace(
                bare,
                attributes={**self.attributes, **counted},
                children=(),
                folded_requests=len(times_ns),
            )
            yield bare
        for length in (_SHORT_MESSAGE_LENGTH, _SHORTEST_MESSAGE_LENGTH):
            bare = replace(bare, chain=tuple(shortened(one, length) for one in bare.chain[-1:]))
            yield bare
        kept = list(bare.attributes.items())
        while kept:
            kept.pop()
            yield replace(bare, attributes=dict(kept))


class Stacks:
    """A stack is sent once per exception type and place; repetitions would say nothing new.
    Bounded: once the memory is full, exceptions go without. `once_each=False` sends every one."""

    def __init__(self, *, once_each: bool = True) -> None:
        self._once_each = once_each
        self._sent: set[tuple[str, str]] = set()

    def unsent(self, chain: tuple[ExceptionRecord, ...]) -> tuple[ExceptionRecord, ...]:
        """The chain, with the stacks that were not sent before."""
        return tuple(one if self._is_new(one) else without_stack(one) for one in chain)

    def sent(self, span: PlannedSpan) -> None:
        if self._once_each:
            for one in (span, *span.children):
                self._sent.update((link.type, link.place) for link in one.chain if link.stack)

    def _is_new(self, one: ExceptionRecord) -> bool:
        return len(self._sent) < _MAX_STACKS and (one.type, one.place) not in self._sent


def plan_step(step: Step, stacks: Stacks) -> PlannedSpan:
    """The step's own span and its requests'."""
    failure = step.failure
    if failure is None and not step.requests:
        return PlannedSpan(step.name, step.started_ns, step.ended_ns, step.attributes)
    first: dict[str, Scalar] = {}
    if failure is not None:
        first["error_type"] = failure.error_type
    if step.requests:
        first["request_count"] = len(step.requests)
    # The step's exception was raised from its request's: that one's stack is in the chain already.
    known = {record.place for record in failure.chain} if failure else set()
    return PlannedSpan(
        step.name,
        step.started_ns,
        step.ended_ns,
        {**first, **step.attributes},
        chain=stacks.unsent(failure.chain) if failure else (),
        is_fault=failure is not None and failure.is_fault,
        children=tuple(plan_request(request, stacks, known) for request in step.requests),
    )


def plan_request(request: AwsRequest, stacks: Stacks, known: Collection[str] = ()) -> PlannedSpan:
    """The span of one AWS request, without the stacks of the places in `known`."""
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
    chain = tuple(without_stack(one) if one.place in known else one for one in chain)
    return PlannedSpan(
        request.name,
        request.started_ns,
        request.ended_ns,
        attributes,
        chain=stacks.unsent(chain),
        is_fault=request.failure is not None and request.failure.is_fault,
        is_request=True,
    )


def without_stack(record: ExceptionRecord) -> ExceptionRecord:
    return replace(record, stack="") if record.stack else record


def shortened(record: ExceptionRecord, length: int = _SHORT_MESSAGE_LENGTH) -> ExceptionRecord:
    return replace(record, message=record.message[:length], stack="")


def milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)


def _exception_bytes(record: ExceptionRecord) -> int:
    total = _EXCEPTION_BYTES + _text_bytes(record.message) + _text_bytes(record.type)
    return total + sum(_FRAME_BYTES + _text_bytes(one) for one in _FRAME.findall(record.stack))


def _number_bytes(value: Scalar) -> int:
    # Go writes floats of these sizes in full, Python with an exponent.
    if type(value) is float and not 1e-4 <= abs(value) < 1e16:
        return 25
    return len(repr(value))


@lru_cache(maxsize=256)
def _text_bytes(text: str) -> int:
    """Go's JSON escapes what HTML could take for its own, and leaves other characters in UTF-8,
    which is never longer than Python's escapes (https://pkg.go.dev/encoding/json#Marshal)."""
    return (
        len(json.dumps(text)) + 5 * sum(map(text.count, "<>&")) + 4 * sum(map(text.count, "\b\f"))
    )
