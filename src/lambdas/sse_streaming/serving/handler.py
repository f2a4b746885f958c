"""The application as Lambda's handler: the handler phase under Powertools Tracer and Logger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from aws_lambda_powertools import Logger, Tracer

from lambda_streaming.responses import Result
from lambda_streaming.runtime.invocation import LambdaContext
from lambda_streaming.tracing.handler_phase import Recorder, subsegment_id


class Answering(Protocol):
    """The application: `bind_log` is told the span that log lines belong to."""

    bind_log: Callable[[str | None], None]

    def answer(self, event: bytes, context: LambdaContext) -> Result: ...


def route_annotation(recorder: Recorder) -> Callable[[str], None]:
    """Names the route on the handler's subsegment, so that traces can be searched by it."""

    def annotate(route: str) -> None:
        subsegment = recorder.current_subsegment()
        if subsegment is not None:  # tracing is off outside Lambda
            subsegment.put_annotation("route", route)

    return annotate


def traced_handler(
    application: Answering, tracer: Tracer, logger: Logger, recorder: Recorder
) -> Callable[[bytes, LambdaContext], Result]:
    """The application as Lambda's handler, recorded as `## handler`.

    `capture_response=False`: the tracer would otherwise put answers into the trace's metadata.
    """

    # X-Ray names the subsegment after this function.
    @logger.inject_lambda_context(clear_state=True, log_event=False)
    @tracer.capture_lambda_handler(capture_response=False)
    def handler(event: bytes, context: Any) -> Result:
        application.bind_log(subsegment_id(recorder.current_subsegment()))
        return application.answer(event, context)

    traced: Callable[[bytes, LambdaContext], Result] = handler
    return traced
