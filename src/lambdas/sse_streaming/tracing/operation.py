"""One traced step of the streaming phase and the AWS requests it made, before any span exists.

Steps are measured first and become spans afterwards (their own, or a place in a roll-up), because
whether one deserves its own span is known only when it has ended. So nothing is ever held
*current* across a `yield`, and a step beyond the span budget costs a few additions.

Imports nothing of OpenTelemetry: an unsampled stream never pays for that import.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from lambdas.sse_streaming.aws.errors import AwsError, AwsRefused, AwsThrottled
from lambdas.sse_streaming.tracing.aws_errors import CONDITION_FAILED
from lambdas.sse_streaming.tracing.seam import streaming_requests

Scalar = str | int | float | bool

T = TypeVar("T")

_MAX_MESSAGE_LENGTH = 1000
_MAX_TYPE_LENGTH = 100
_MAX_CHAIN = 5
_CAUSES_KEPT = 2
_MAX_FOLLOWED = 100
_MAX_STACK_LENGTH = 6000
"""A document may have 64 KB; a stack says what it has to say in its last frames."""


@dataclass(frozen=True, slots=True)
class ExceptionRecord:
    """One exception of a chain. `place` is file:line of its last frame."""

    type: str
    message: str
    stack: str
    place: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step or request failed: the chain, cause first, since the collector's exporter drops
    the type and message of a chained cause. `is_fault` is False for what AWS answers with 4xx."""

    chain: tuple[ExceptionRecord, ...]
    error_type: str
    is_fault: bool

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        return cls(
            chain=tuple(map(_record, _chain(error))),
            error_type=_type_of(error),
            is_fault=not isinstance(error, AwsThrottled | AwsRefused),
        )


@dataclass(frozen=True, slots=True)
class AwsRequest:
    """One HTTP request to an AWS service. `service` is named as the X-Ray SDK names it.

    `status` is None without an answer, and for a conditional write that lost its race: that is a
    normal answer, and X-Ray would show its 400 as an error.
    """

    service: str
    name: str
    region: str
    started_ns: int
    ended_ns: int
    status: int | None
    request_id: str | None
    table: str | None
    failure: Failure | None

    @property
    def duration_ms(self) -> float:
        return (self.ended_ns - self.started_ns) / 1e6


@dataclass(slots=True)
class Operation:
    """A step under way. `name` is the span's name; attributes may be set until it ends."""

    name: str
    started_ns: int
    attributes: dict[str, Scalar] = field(default_factory=dict)
    requests: list[AwsRequest] = field(default_factory=list)
    failure: Failure | None = None
    ended_ns: int = 0

    @property
    def duration_ms(self) -> float:
        return (self.ended_ns - self.started_ns) / 1e6

    @property
    def span_count(self) -> int:
        return 1 + len(self.requests)

    def set(self, **attributes: Scalar) -> None:
        self.attributes.update(attributes)

    def run(self, work: Callable[[], T]) -> T:
        """Do `work` in the calling thread; the AWS requests it makes belong to this step."""
        with streaming_requests(self):
            return work()

    def add_request(
        self,
        *,
        service: str,
        region: str,
        name: str,
        started_ns: int,
        ended_ns: int,
        status: int | None,
        request_id: str | None,
        table: str | None,
        error_code: str | None,
        error_message: str | None,
        error: Exception | None,
    ) -> None:
        """Called by the client's hooks, in whatever thread made the request."""
        expected = error_code == CONDITION_FAILED
        failure = None
        if error is not None:
            failure = Failure.of(error)
        elif status is not None and status >= 400 and not expected:
            code = _encodable((error_code or f"HTTP {status}")[:_MAX_TYPE_LENGTH])
            failure = Failure(
                chain=(ExceptionRecord(code, _cut(error_message or ""), "", name),),
                error_type=code,
                is_fault=status >= 500,
            )
        self.requests.append(
            AwsRequest(
                service=service,
                name=name,
                region=region,
                started_ns=started_ns,
                ended_ns=ended_ns,
                status=None if expected else status,
                request_id=request_id,
                table=table,
                failure=failure,
            )
        )


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What the root span says when a stream has ended."""

    connection_id: str | None
    session_id: str
    connection_sequence: int
    events_yielded: int
    bytes_sent: int
    polls: int
    stream_ms: float
    end_reason: str
    is_cold_start: bool
    clock_facts: Mapping[str, int] = field(default_factory=dict)


class StreamTrace(Protocol):
    """The trace of one stream. `trace_id` is X-Ray's form, None without a trace header."""

    trace_id: str | None
    span_id: str | None

    def begin(self, name: str, **attributes: Scalar) -> Operation:
        """Start to measure a step. Nothing becomes current: its work says `run`."""
        ...

    def finish(self, step: Operation, error: BaseException | None = None) -> None:
        """The step has ended, perhaps by `error`."""
        ...

    def dispatched(
        self, started_ns: int, event_type: str, latency_ms: float | None, is_cold_start: bool
    ) -> None: ...

    def export_early(self) -> None:
        """Send what has ended so far, once: a stream is visible before it ends."""
        ...

    def export(self) -> None:
        """Send what has ended so far, without waiting for it."""
        ...

    def end(self, facts: StreamFacts, error: BaseException | None) -> None: ...


class UntracedStream:
    """An unsampled stream, or the kill switch: records nothing, and X-Ray's SDK neither."""

    def __init__(self, trace_id: str | None) -> None:
        self.trace_id = trace_id
        self.span_id: str | None = None

    def begin(self, name: str, **attributes: Scalar) -> Operation:
        return Operation(name, 0, dict(attributes))

    def finish(self, step: Operation, error: BaseException | None = None) -> None: ...

    def dispatched(
        self, started_ns: int, event_type: str, latency_ms: float | None, is_cold_start: bool
    ) -> None: ...

    def export_early(self) -> None: ...

    def export(self) -> None: ...

    def end(self, facts: StreamFacts, error: BaseException | None) -> None: ...


def _chain(error: BaseException) -> list[BaseException]:
    """What led to the error, cause first, followed as Python's own traceback does.

    Of a group the first member is named as a cause too. A chain that is too long loses its middle:
    the root cause and what was made of it say the most.
    """
    found: list[BaseException] = []
    ahead: list[BaseException] = [error]
    while ahead and len(found) < _MAX_FOLLOWED:
        current = ahead.pop()
        if any(current is known for known in found):
            continue
        found.append(current)
        if current.__cause__ is not None:
            ahead.append(current.__cause__)
        elif current.__context__ is not None and not current.__suppress_context__:
            ahead.append(current.__context__)
        if isinstance(current, BaseExceptionGroup):
            ahead.append(current.exceptions[0])
    found.reverse()
    if len(found) <= _MAX_CHAIN:
        return found
    return found[:_CAUSES_KEPT] + found[_CAUSES_KEPT - _MAX_CHAIN :]


def _record(error: BaseException) -> ExceptionRecord:
    formatted = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    frames = formatted.stack
    stack = "".join(formatted.format(chain=False))
    return ExceptionRecord(
        type=_type_name(error),
        message=_cut(_text_of(error)),
        stack=_encodable(stack[-_MAX_STACK_LENGTH:]),
        place=f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "",
    )


def _type_of(error: BaseException) -> str:
    """AWS's code where there is one, as an operator would search for it."""
    code = error.code if isinstance(error, AwsError) else type(error).__name__
    return _encodable(code[:_MAX_TYPE_LENGTH])


def _type_name(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    return name[-_MAX_TYPE_LENGTH:]


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as defect:
        # It must not become the error that ends the stream.
        return f"its text failed by {type(defect).__name__}"


def _cut(message: str) -> str:
    return _encodable(message[:_MAX_MESSAGE_LENGTH])


def _encodable(text: str) -> str:
    """Without lone surrogates: protobuf refuses them, and with them the whole batch."""
    return text.encode("utf-8", "replace").decode()
