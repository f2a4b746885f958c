"""The handler phase: from an event to an answer, under Powertools Tracer and Logger.

It ends when the answer object exists. A stream's body is produced afterwards, and traced there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from aws_lambda_powertools import Logger, Tracer

from lambda_streaming.doors.recognise import NotHttp, read_event
from lambda_streaming.requests import BadRequest, Request
from lambda_streaming.responses import Response, Result, StreamingResponse
from lambda_streaming.runtime.invocation import LambdaContext
from lambda_streaming.tracing.diagnosis.checks import Diagnosis
from lambda_streaming.tracing.handler_phase import Recorder, subsegment_id
from lambda_streaming.tracing.header import parse_trace_header
from lambda_streaming.tracing.tracer import Tracing
from lambdas.sse_streaming import __version__
from lambdas.sse_streaming.answers import (
    RequestError,
    error_answer,
    json_answer,
    not_http_answer,
    stream_headers,
)
from lambdas.sse_streaming.aws.errors import AwsUnavailable
from lambdas.sse_streaming.configurations import Configurations
from lambdas.sse_streaming.connections.lease import is_connection_id
from lambdas.sse_streaming.endings import Ending, busy
from lambdas.sse_streaming.feed.position_clock import PositionClock
from lambdas.sse_streaming.feed.resume import understand
from lambdas.sse_streaming.parts import Parts
from lambdas.sse_streaming.query import StreamFilter, StreamRequest, parse_stream_request
from lambdas.sse_streaming.routes import Match, Route, find_route
from lambdas.sse_streaming.stream import Stream

_STREAM_PARAMETERS = frozenset({"sentiment", "ticker", "backfill"})
_SAVED_STREAM_PARAMETERS = frozenset({"backfill"})


@dataclass(slots=True)
class Application:
    """The routes."""

    parts: Parts
    tracing: Tracing
    configurations: Configurations | None
    diagnosis: Diagnosis
    bind_log: Callable[[str | None], None]
    name_route: Callable[[str], None]
    is_cold_start: bool = True

    def answer(self, event: bytes, context: LambdaContext) -> Result:
        """Raises what is a defect or a permanent fault; that becomes the runtime's `/error`."""
        try:
            request = read_event(event, context)
            match = find_route(
                request.method, request.raw_path, has_trace_route=self.parts.settings.trace_route
            )
            self.name_route(match.name)
            return self._route(match, request, context)
        except NotHttp as not_http:
            return not_http_answer(str(not_http), context.aws_request_id)
        except BadRequest as error:
            refusal = RequestError(400, error.code, error.message)
            return error_answer(refusal, context.aws_request_id)
        except RequestError as error:
            return error_answer(error, context.aws_request_id)
        finally:
            self.is_cold_start = False

    def _route(self, match: Match, request: Request, context: LambdaContext) -> Result:
        match match.route:
            case Route.STREAM:
                wanted = parse_stream_request(request, _STREAM_PARAMETERS)
                return self._stream(wanted, context)
            case Route.CONFIGURATION_STREAM:
                return self._saved_stream(match.argument, request, context)
            case Route.CLOSE:
                return self._unless_unavailable(lambda: self._close(match.argument), context)
            case Route.STATUS:
                return self._unless_unavailable(self._status, context)
            case Route.HEALTH:
                service = self.parts.settings.service_name
                return json_answer(200, {"status": "healthy", "service": service})
            case Route.TRACE:
                header = parse_trace_header(context.trace_header)
                return json_answer(200, self.diagnosis.report(header))

    def _saved_stream(
        self, config_id: str, request: Request, context: LambdaContext
    ) -> StreamingResponse:
        wanted = parse_stream_request(request, _SAVED_STREAM_PARAMETERS)
        if self.parts.settings.auth == "none":
            raise RequestError(
                403,
                "forbidden",
                "saved configurations have owners, and this deployment knows no callers"
                " (SSE_AUTH=none)",
            )
        if request.caller_arn is None:
            raise RequestError(403, "forbidden", "the request names no IAM caller")
        try:
            saved = self._find_filter(config_id, request.caller_arn)
        except AwsUnavailable as error:
            self.parts.log.warning("refused as busy: %s", error)
            return self._stream(wanted, context, busy("unavailable", self.parts.random))
        return self._stream(replace(wanted, filter=saved), context)

    def _find_filter(self, config_id: str, caller_arn: str) -> StreamFilter:
        """Somebody else's configuration and none at all are the same answer, valid or not."""
        found = self.configurations.find(config_id) if self.configurations else None
        if found is None or found.owner != caller_arn:
            raise RequestError(404, "not_found", "no configuration of yours has this id")
        return found.filter()

    def _stream(
        self, wanted: StreamRequest, context: LambdaContext, refusal: Ending | None = None
    ) -> StreamingResponse:
        settings = self.parts.settings
        header = parse_trace_header(context.trace_header)
        position_clock = PositionClock(
            self.parts.clock, wanted.received_ms, is_cold_start=self.is_cold_start
        )
        arrival = understand(
            wanted.last_event_id,
            self.parts.codec,
            now=position_clock.read(),
            overlap_ms=settings.overlap_ms,
            replay_ms=settings.replay_ms,
        )
        trace = self.tracing.start("sse_stream", header, link_to=arrival.previous)
        self.bind_log(trace.span_id)
        stream = Stream(
            self.parts,
            wanted,
            arrival,
            trace,
            position_clock=position_clock,
            deadline=context.deadline,
            is_cold_start=self.is_cold_start,
            refusal=refusal,
        )
        return StreamingResponse(
            status=200,
            headers=stream_headers(header.root),
            body=stream.body(),
            finish=stream.finish,
            stall_seconds=settings.stall_seconds,
            write_deadline=stream.give_up_at,
        )

    def _close(self, connection_id: str) -> Response:
        if not is_connection_id(connection_id):
            raise RequestError(
                400, "invalid_connection_id", "the connection_id is not one of a `ready` event"
            )
        self.parts.connections.cancel(connection_id)
        period = self.parts.settings.lease_seconds / 3
        return json_answer(
            200, {"connection_id": connection_id, "ends_within_seconds": round(period + 1, 3)}
        )

    def _status(self) -> Response:
        current, limit = self.parts.connections.count(), self.parts.settings.max_connections
        return json_answer(
            200,
            {
                "current": current,
                "max": limit,
                "available": max(0, limit - current),
                "version": __version__,
                "uptime_seconds": round(self.parts.clock.steady_seconds() - self.diagnosis.started),
            },
        )

    def _unless_unavailable(
        self, answer: Callable[[], Response], context: LambdaContext
    ) -> Response:
        try:
            return answer()
        except AwsUnavailable as error:
            self.parts.log.warning("answered 503: %s", error)
            refusal = RequestError(
                503, "unavailable", "DynamoDB does not answer; try again", {"retry-after": "5"}
            )
            return error_answer(refusal, context.aws_request_id)


def route_annotation(recorder: Recorder) -> Callable[[str], None]:
    """Names the route on the handler's subsegment, so that traces can be searched by it."""

    def annotate(route: str) -> None:
        subsegment = recorder.current_subsegment()
        if subsegment is not None:  # tracing is off outside Lambda
            subsegment.put_annotation("route", route)

    return annotate


def traced_handler(
    application: Application, tracer: Tracer, logger: Logger, recorder: Recorder
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
