"""Both phases of a handler in one trace.

The handler phase ends when the handler has returned, and is X-Ray's: `## handler`. What the body of
its answer does is the streaming phase, with a root span of its own, `response_stream`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from typing import Any, cast

from lambda_streaming.requests import Request
from lambda_streaming.responses import (
    AnyResult,
    Finish,
    Response,
    Result,
    StreamingResponse,
    StreamOutcome,
    changed,
)
from lambda_streaming.runtime.error_report import run_guarded
from lambda_streaming.runtime.invocation import LambdaContext
from lambda_streaming.runtime.invoker import Handler, is_async
from lambda_streaming.serving.recording.tracers import Tracers
from lambda_streaming.tracing.header import client_chose_trace, parse_trace_header
from lambda_streaming.tracing.step import Scalar, Trace

ROOT = "response_stream"

_SETTLE_SECONDS = 1.0
"""For work in threads that outlives the body."""


class Phases:
    """Records the handlers of one process."""

    def __init__(self, tracers: Tracers) -> None:
        self._tracers = tracers
        self._handler_phase = tracers.handler_phase
        self._bind_log = tracers.bind_log
        self._steady_seconds = tracers.clock.steady_seconds

    async def run(
        self, call: Callable[[], Awaitable[Response | StreamingResponse]], request: Request
    ) -> Response | StreamingResponse:
        """Runs the function of one request in the handler phase; the body of its answer belongs to
        the streaming phase."""
        with self._handler_phase.recorded() as span_id:
            self._bind_log(span_id)
            result = await call()
        trace_header = getattr(request.context, "trace_header", None)
        return self._with_streaming_phase(result, trace_header, request)

    async def run_event(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Runs what handles an event that is no request: all of it is the handler phase."""
        with self._handler_phase.recorded() as span_id:
            self._bind_log(span_id)
            return await call()

    def traced(self, handler: Handler) -> Handler:
        """The handler, sync or async, with both its phases recorded."""
        if is_async(handler):

            @wraps(handler)
            async def handle_async(event: bytes, context: LambdaContext) -> Result:
                with self._handler_phase.recorded() as span_id:
                    self._bind_log(span_id)
                    result = await cast("Awaitable[Result]", handler(event, context))
                return self._with_streaming_phase(result, context.trace_header)

            return handle_async

        @wraps(handler)
        def handle(event: bytes, context: LambdaContext) -> Result:
            with self._handler_phase.recorded() as span_id:
                self._bind_log(span_id)
                result = cast("Result", handler(event, context))
            return self._with_streaming_phase(result, context.trace_header)

        return handle

    def _with_streaming_phase(
        self, result: AnyResult, trace_header: str | None, request: Request | None = None
    ) -> AnyResult:
        """`request` is what is answered, where it was read before."""
        if not isinstance(result, StreamingResponse):
            return result
        facts: dict[str, Scalar] = {}
        if request is not None and client_chose_trace(request):
            facts["trace_from_client"] = True
        trace = self._tracers.tracing.start(ROOT, parse_trace_header(trace_header))
        self._bind_log(trace.span_id)
        # The body runs in the context of its handler.
        trace.enter_streaming_phase()
        if self._tracers.joins:
            trace.make_current()
        finish = partial(self._finish, trace, self._steady_seconds(), facts, result.finish)
        return changed(result, finish=finish)

    async def _finish(
        self,
        trace: Trace,
        started: float,
        facts: Mapping[str, Scalar],
        finish: Finish | None,
        outcome: StreamOutcome,
        error: BaseException | None,
    ) -> None:
        is_shutdown = outcome is StreamOutcome.SHUTDOWN
        try:
            if finish is not None:
                await run_guarded("finish", lambda: finish(outcome, error))
            if not is_shutdown:  # there is no time for it
                await trace.settle(_SETTLE_SECONDS)
        finally:
            trace.end(
                {
                    "end_reason": outcome.value,
                    "stream_ms": round((self._steady_seconds() - started) * 1000, 3),
                    **facts,
                },
                annotations=("end_reason", "trace_from_client"),
                error=error,
                is_fault=outcome is StreamOutcome.FAILED,
                interrupted=is_shutdown,
            )
