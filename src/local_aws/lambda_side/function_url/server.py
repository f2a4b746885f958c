"""The Function URL in RESPONSE_STREAM mode: an HTTP request in, an invocation out."""

from __future__ import annotations

from collections.abc import Callable

from local_aws.lambda_side.doors.http_request import HttpRequest
from local_aws.lambda_side.doors.invoker import MAX_EVENT_BYTES, Invoker
from local_aws.lambda_side.doors.streamed_response import StreamedResponse
from local_aws.lambda_side.fleet import ConcurrencyLimitError
from local_aws.lambda_side.function_url import cors
from local_aws.lambda_side.function_url.events import function_url_event
from local_aws.lambda_side.function_url.url_answer import UrlAnswer
from local_aws.lambda_side.function_url.url_errors import refuse
from local_aws.servers.http_connection import HttpConnection


class FunctionUrl:
    max_request_bytes = MAX_EVENT_BYTES

    def __init__(
        self,
        invoker: Invoker,
        *,
        has_cors: bool,
        timeout_seconds: float,
        show_disconnect: bool,
        say: Callable[[str], None],
    ) -> None:
        self._invoker = invoker
        self._has_cors = has_cors
        self._timeout_seconds = timeout_seconds
        self._show_disconnect = show_disconnect
        self._say = say

    async def refuse(self, http: HttpConnection, status: int) -> None:
        await refuse(http, status)

    async def answer(self, http: HttpConnection, request: HttpRequest) -> None:
        headers = request.joined_headers
        asked_by = headers if self._has_cors else {}
        if cors.is_preflight(request.method, asked_by):
            await http.respond(200, cors.preflight_headers(), b"")
            return
        arrival = self._invoker.arrival(request)
        event = function_url_event(
            request,
            request_id=arrival.request_id,
            trace_header=headers.get("x-amzn-trace-id", f"Root={arrival.trace.root}"),
            received_at=arrival.received_at,
        )
        try:
            invocation, environment = self._invoker.begin(arrival, event)
        except ConcurrencyLimitError:
            await refuse(http, 429, trace=arrival.trace, request_headers=asked_by)
            return
        why = await StreamedResponse(
            http,
            invocation,
            environment,
            UrlAnswer(http, asked_by),
            method=request.method,
            hang_seconds=self._timeout_seconds,
            show_disconnect=self._show_disconnect,
            wall_clock=self._invoker.wall_clock,
        ).run()
        if why is not None:
            self._say(f"{invocation.status} for {request.method} {invocation.request_id}: {why}")
