"""From an event to an answer: the routes.

The handler phase ends when the answer object exists. A stream's body is produced afterwards, and
traced there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from lambda_streaming.doors.events import NotHttp, read_event
from lambda_streaming.requests import BadRequest, Request
from lambda_streaming.responses import Response, Result, StreamingResponse
from lambda_streaming.runtime.invocation import LambdaContext
from lambda_streaming.tracing.diagnosis.checks import Diagnosis
from lambda_streaming.tracing.header import parse_trace_header
from lambda_streaming.tracing.tracer import Tracing
from lambda_streaming.version import __version__
from lambdas.sse_streaming.aws.errors import AwsUnavailable
from lambdas.sse_streaming.configurations import Configurations
from lambdas.sse_streaming.connections.lease import is_connection_id
from lambdas.sse_streaming.feeds.request import StreamFilter, StreamRequest, read_filter
from lambdas.sse_streaming.http.answers import (
    RequestError,
    error_answer,
    json_answer,
    not_http_answer,
    stream_headers,
)
from lambdas.sse_streaming.http.query import (
    caller_partition,
    parse_saved_stream_request,
    parse_stream_request,
)
from lambdas.sse_streaming.http.routes import Match, Route, find_route
from lambdas.sse_streaming.streams.stream import Streams

_log = logging.getLogger(__name__)


class Application:
    """The routes. `is_cold_start` says whether the current invocation is the first of its process.
    `bind_log` is called with the span that log lines belong to, `name_route` with the route."""

    def __init__(
        self,
        streams: Streams,
        tracing: Tracing,
        configurations: Configurations | None,
        diagnosis: Diagnosis,
        is_cold_start: Callable[[], bool],
        bind_log: Callable[[str | None], None],
        name_route: Callable[[str], None],
    ) -> None:
        self._streams = streams
        self._schema = streams.schema
        self._settings = streams.settings
        self._connections = streams.connections
        self._tracing = tracing
        self._configurations = configurations
        self._diagnosis = diagnosis
        self._is_cold_start = is_cold_start
        self._name_route = name_route
        self.bind_log = bind_log
        self._clock = streams.clock
        self._started_seconds = streams.clock.steady_seconds()

    def answer(self, event: bytes, context: LambdaContext) -> Result:
        """Raises only defects and permanent faults, which the runtime reports to `/error`."""
        try:
            request = read_event(event, context)
            match = find_route(
                request.method, request.raw_path, has_trace_route=self._settings.trace_route
            )
            self._name_route(match.name)
            return self._route(match, request, context)
        except NotHttp as not_http:
            return not_http_answer(str(not_http), context.aws_request_id)
        except BadRequest as error:
            refusal = RequestError(400, error.code, error.message)
            return error_answer(refusal, context.aws_request_id)
        except RequestError as error:
            return error_answer(error, context.aws_request_id)

    def _route(self, match: Match, request: Request, context: LambdaContext) -> Result:
        match match.route:
            case Route.STREAM:
                return self._stream(parse_stream_request(request, self._schema), context)
            case Route.CONFIGURATION_STREAM:
                return self._saved_stream(match.argument, request, context)
            case Route.CLOSE:
                return self._unless_unavailable(lambda: self._close(match.argument), context)
            case Route.STATUS:
                return self._unless_unavailable(self._status, context)
            case Route.HEALTH:
                service = self._settings.service_name
                return json_answer(200, {"status": "healthy", "service": service})
            case Route.TRACE:
                header = parse_trace_header(context.trace_header)
                return json_answer(200, self._diagnosis.report(header))

    def _saved_stream(
        self, config_id: str, request: Request, context: LambdaContext
    ) -> StreamingResponse:
        wanted = parse_saved_stream_request(request)
        if self._settings.auth == "none":
            raise RequestError(
                403,
                "forbidden",
                "saved configurations have owners, and this deployment knows no callers"
                " (SSE_AUTH=none)",
            )
        if request.caller_arn is None:
            raise RequestError(403, "forbidden", "the request names no IAM caller")
        try:
            saved = self._find_filter(config_id, request)
        except AwsUnavailable as error:
            _log.warning("refused as busy: %s", error)
            return self._stream(wanted, context, refusal="unavailable")
        return self._stream(replace(wanted, filter=saved), context)

    def _find_filter(self, config_id: str, request: Request) -> StreamFilter:
        """Another owner's configuration, valid or not, gets the 404 of a missing one: nobody learns
        which ids exist."""
        found = self._configurations.find(config_id) if self._configurations else None
        if found is None or found.owner != request.caller_arn:
            raise RequestError(404, "not_found", "no configuration of yours has this id")
        return read_filter(self._schema, found.given, caller_partition(request, self._schema))

    def _stream(
        self, wanted: StreamRequest, context: LambdaContext, refusal: str | None = None
    ) -> StreamingResponse:
        settings = self._settings
        header = parse_trace_header(context.trace_header)
        is_cold_start = self._is_cold_start()
        position_clock, resume = self._streams.read_position(wanted, is_cold_start=is_cold_start)
        trace = self._tracing.start("sse_stream", header, link_to=resume.previous)
        self.bind_log(trace.span_id)
        stream = self._streams.open(
            wanted,
            resume,
            trace,
            position_clock,
            deadline=context.deadline,
            is_cold_start=is_cold_start,
            refusal=refusal,
        )
        return StreamingResponse(
            status=200,
            headers=stream_headers(header.root),
            body=stream.body(),
            finish=stream.finish,
            stall_seconds=settings.stall_seconds,
            write_deadline=stream.write_deadline,
        )

    def _close(self, connection_id: str) -> Response:
        if not is_connection_id(connection_id):
            raise RequestError(
                400, "invalid_connection_id", "the connection_id is not one of a `ready` event"
            )
        self._connections.cancel(connection_id)
        period = self._settings.lease_seconds / 3
        return json_answer(
            200, {"connection_id": connection_id, "ends_within_seconds": round(period + 1, 3)}
        )

    def _status(self) -> Response:
        current, limit = self._connections.count(), self._settings.max_connections
        return json_answer(
            200,
            {
                "current": current,
                "max": limit,
                "available": max(0, limit - current),
                "version": __version__,
                "uptime_seconds": round(self._clock.steady_seconds() - self._started_seconds),
            },
        )

    def _unless_unavailable(
        self, answer: Callable[[], Response], context: LambdaContext
    ) -> Response:
        try:
            return answer()
        except AwsUnavailable as error:
            _log.warning("answered 503: %s", error)
            refusal = RequestError(
                503, "unavailable", "DynamoDB does not answer; try again", {"retry-after": "5"}
            )
            return error_answer(refusal, context.aws_request_id)
