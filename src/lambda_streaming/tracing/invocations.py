"""Which invocation a piece of code belongs to, when several run in one process.

Tasks, and threads that copy their context, belong to the invocation whose context they run in. A
thread without a context belongs to the only running invocation, and to none when several run.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from lambda_streaming.tracing.header import TraceHeader, parse_trace_header


@dataclass(slots=True, eq=False)
class RunningInvocation:
    """`is_first` in this process: its cold start is a part of what the caller waited for.
    `span_id` is the span that log lines belong to now, 16 hex digits."""

    request_id: str
    header: TraceHeader
    is_first: bool = False
    span_id: str | None = None


_of_context: ContextVar[RunningInvocation | None] = ContextVar("invocation", default=None)


class Invocations:
    """Built once per process."""

    def __init__(self) -> None:
        self._running: tuple[RunningInvocation, ...] = ()
        self._has_begun = False

    def begin(self, request_id: str, trace_header: str | None) -> RunningInvocation:
        """An invocation begins; from now on this context is its own."""
        header = parse_trace_header(trace_header)
        invocation = RunningInvocation(request_id, header, is_first=not self._has_begun)
        self._has_begun = True
        self._running = (*self._running, invocation)
        _of_context.set(invocation)
        return invocation

    def end(self) -> None:
        """The invocation of this context is over."""
        ended = _of_context.get()
        self._running = tuple(one for one in self._running if one is not ended)
        _of_context.set(None)

    def of_context(self) -> RunningInvocation | None:
        return _of_context.get()

    def is_first(self) -> bool:
        """Whether the current invocation is the first of this process."""
        invocation = self.current()
        return invocation is not None and invocation.is_first

    def trace_header(self) -> str | None:
        """What requests of the current invocation take with them."""
        invocation = self.current()
        return None if invocation is None else invocation.header.normalised()

    def current(self) -> RunningInvocation | None:
        invocation = _of_context.get()
        if invocation is None and len(running := self._running) == 1:
            return running[0]
        return invocation
