"""Steps of the streaming phase: what an app does after its handler has returned.

    async with trace.step("model_call", model="m") as step:
        reply = await step.in_thread(ask)

A step is measured first and becomes a span afterwards (its own, or a place in a roll-up), because
only when it has ended is it known whether it deserves a span. So no span is ever current, and a
step beyond the span budget costs a few additions.

Imports only the standard library: an unsampled invocation never pays for OpenTelemetry.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar, Token, copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, TypeVar

from lambda_streaming.tracing.failures import Failure

Scalar = str | int | float | bool

T = TypeVar("T")


class Keep(enum.Enum):
    """Which steps have a span of their own when many steps compete for few spans."""

    BUDGET = enum.auto()
    """Its own span while the budget lasts, then a place in a roll-up."""
    LAST = enum.auto()
    """The latest step of its name has its own span, whatever was spent before."""


class Offload(Protocol):
    """Runs blocking work on a worker thread."""

    def __call__(self, work: Callable[[], T]) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class AwsRequest:
    """One request to an AWS service, retries included. `service_id` is botocore's name of the
    service (`DynamoDB`), `service` its endpoint prefix (`dynamodb`), as the X-Ray SDK names it.

    `status` is None without an answer, and for a conditional write that lost its race: that is an
    expected answer, and X-Ray would show its 400 as an error.
    """

    service_id: str
    service: str
    operation: str
    region: str
    started_ns: int
    ended_ns: int
    status: int | None = None
    request_id: str | None = None
    table: str | None = None
    failure: Failure | None = None

    @property
    def name(self) -> str:
        return f"{self.service_id}.{self.operation}"


_current_step: ContextVar[Step | None] = ContextVar("current_step", default=None)
_current_trace: ContextVar[Trace | None] = ContextVar("current_trace", default=None)


def current_step() -> Step | None:
    """The step that AWS requests of this code belong to."""
    return _current_step.get()


def current_trace() -> Trace | None:
    """The trace of the streaming phase that this code runs in; None in the handler phase."""
    return _current_trace.get()


def step(name: str, /, *, keep: Keep = Keep.BUDGET, **attributes: Scalar) -> Step:
    """A step of the streaming phase, used as `with step("model_call", model="m"):` or `async with`.
    It must not be held across a `yield`.

    AWS requests inside become its children, and an exception that leaves it is its failure. `as
    call` gives `call.set(tokens=7)`, which adds attributes, and `await call.in_thread(work)`, which
    runs blocking work as a part of the step. `keep` is for steps of which the latest has to have a
    span of its own, whatever the span budget has left (`Keep.LAST`). Does nothing in the handler
    phase, without the extra `tracing`, and where the request is not sampled.
    """
    trace = current_trace() or _HandlerPhase()
    return trace.step(name, keep=keep, **attributes)


class Step:
    """One step: begins when its `with` block is entered, ends when the block is left.

    AWS requests made inside, by this task or by threads that copy its context, belong to the step.
    An exception that leaves the block is the step's failure.
    """

    # Defaults on the class: a record of a finished step, made per event, sets none of them.
    _token: Token[Step | None] | None = None
    _late = 0
    _has_left = False
    _is_interrupted = False
    _error: BaseException | None = None

    def __init__(
        self,
        name: str,
        started_ns: int,
        attributes: dict[str, Scalar],
        *,
        trace: Trace | None = None,
        keep: Keep = Keep.BUDGET,
        ended_ns: int = 0,
        requests: Sequence[AwsRequest] = (),
        failure: Failure | None = None,
    ) -> None:
        self.name = name
        self.started_ns = started_ns
        self.ended_ns = ended_ns
        self.attributes = attributes
        self.keep = keep
        self.requests = list(requests)
        self.failure = failure
        self._trace = trace or Trace(None)

    @property
    def duration_ns(self) -> int:
        return self.ended_ns - self.started_ns

    @property
    def span_count(self) -> int:
        return 1 + len(self.requests)

    def set(self, **attributes: Scalar) -> None:
        """Add attributes, until the step has ended."""
        self.attributes.update(attributes)

    def add_request(self, request: AwsRequest) -> None:
        self.requests.append(request)

    async def in_thread(
        self, work: Callable[[], T], on_late_result: Callable[[T], None] | None = None
    ) -> T:
        """Run blocking `work` on a worker thread, as a part of this step.

        When the awaiting task is cancelled, the work finishes in its thread, the step ends with
        it, and `on_late_result` gets the result.
        """
        context = copy_context()
        context.run(_current_step.set, self if self._trace.is_streaming else None)
        future = self._trace.offloaded(lambda: context.run(work))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self._is_interrupted = True
            self._late += 1
            future.add_done_callback(lambda done: self._end_late(done, on_late_result))
            raise

    def __enter__(self) -> Step:
        if self._trace.is_streaming:
            self._token = _current_step.set(self)
        self._trace.step_began(self)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        if self._token is not None:
            try:
                _current_step.reset(self._token)
            except ValueError:
                pass  # held across a yield, and closed by another task
        self._has_left = True
        if not (self._is_interrupted and isinstance(error, asyncio.CancelledError)):
            self._error = error or self._error
        if self._late == 0:
            self._trace.step_ended(self, self._error)

    async def __aenter__(self) -> Step:
        return self.__enter__()

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        stack: TracebackType | None,
    ) -> None:
        self.__exit__(error_type, error, stack)

    def _end_late(
        self, done: asyncio.Future[T], on_late_result: Callable[[T], None] | None
    ) -> None:
        self._late -= 1
        error = None if done.cancelled() else done.exception()
        self._error = self._error or error
        try:
            if on_late_result is not None and error is None and not done.cancelled():
                on_late_result(done.result())
        finally:
            if self._has_left and self._late == 0:
                self._trace.step_ended(self, self._error)


def default_offload(work: Callable[[], T]) -> Awaitable[T]:
    return asyncio.get_running_loop().run_in_executor(None, work)


class Trace:
    """The trace of one invocation's streaming phase.

    This class records nothing: it stands for an unsampled invocation and for the kill switch
    OTEL_SDK_DISABLED. AWS requests of its steps are no X-Ray subsegments either.
    """

    is_streaming = True
    span_id: str | None = None
    """The root span's, 16 hex digits; None where nothing is recorded."""

    holds_app_spans = False
    """Whether spans of the app's own OpenTelemetry are in this trace, too."""

    def __init__(self, trace_id: str | None, offload: Offload = default_offload) -> None:
        self.trace_id = trace_id
        """In X-Ray's form; None without a usable trace header."""
        self._offload = offload
        self._in_flight: set[asyncio.Future[Any]] = set()

    # For apps

    def enter_streaming_phase(self) -> None:
        """From now on AWS requests of this context belong to this trace, inside a step or not."""
        _current_trace.set(self)

    def make_current(self) -> None:
        """From now on spans that the app's own OpenTelemetry makes in this context are children of
        the root span."""

    def step(self, name: str, /, *, keep: Keep = Keep.BUDGET, **attributes: Scalar) -> Step:
        """A step, to be used as `with trace.step(…) as step:` or `async with`. It must not be
        held across a `yield`."""
        return Step(name, 0, attributes, trace=self, keep=keep)

    def record(self, name: str, started_ns: int, /, **attributes: Scalar) -> None:
        """A step that is over already and made no AWS requests."""

    def record_last(self, step: Step) -> None:
        """A step that is over already and has a span of its own, whatever was spent before."""

    async def settle(self, timeout_seconds: float | None = None) -> None:
        """Wait for work in threads, so that it is in the trace; no longer than the timeout."""
        if self._in_flight:
            await asyncio.wait(tuple(self._in_flight), timeout=timeout_seconds)

    def export_early(self) -> None:
        """Send in the background what has ended so far, once: a trace is visible before its end."""

    def export(self) -> None:
        """Send what has ended so far, in the background."""

    def end(
        self,
        attributes: Mapping[str, Scalar],
        *,
        annotations: Sequence[str] = (),
        error: BaseException | None = None,
        is_fault: bool = False,
        interrupted: bool = False,
    ) -> None:
        """End the root span. Steps under way are recorded as unfinished, which is a fault;
        when the process was `interrupted` (SIGTERM), only for slow ones.

        `annotations` names the attributes that X-Ray indexes.
        """

    # For steps and the seam of AWS requests

    def step_began(self, step: Step) -> None: ...

    def step_ended(self, step: Step, error: BaseException | None) -> None: ...

    def add_request(self, request: AwsRequest) -> None:
        """An AWS request outside of any step."""

    def offloaded(self, work: Callable[[], T]) -> asyncio.Future[T]:
        future = asyncio.ensure_future(self._offload(work))
        self._in_flight.add(future)
        future.add_done_callback(self._in_flight.discard)
        return future


class _HandlerPhase(Trace):
    """Stands for no trace: AWS requests stay subsegments of the handler phase."""

    is_streaming = False

    def __init__(self) -> None:
        super().__init__(None)
