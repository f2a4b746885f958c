"""The REST API: two stages of one API, deployed with either response transfer mode.

https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html
"""

from __future__ import annotations

from collections.abc import Callable

from local_aws.lambda_side.doors.buffered_response import Problem, answer_buffered
from local_aws.lambda_side.doors.http_request import HttpRequest
from local_aws.lambda_side.doors.invoker import MAX_EVENT_BYTES, Arrival, Invoker
from local_aws.lambda_side.doors.streamed_response import StreamedResponse
from local_aws.lambda_side.fleet import ConcurrencyLimitError
from local_aws.lambda_side.rest_api import gateway
from local_aws.lambda_side.rest_api.answers import BufferedAnswer, StreamedAnswer
from local_aws.lambda_side.rest_api.events import rest_api_event
from local_aws.servers.http_connection import HttpConnection

STREAM_STAGE, BUFFERED_STAGE = "prod", "buffered"
# Of a Regional API; an edge-optimized one waits 30 s.
_IDLE_SECONDS = 300.0
_ANSWER_SECONDS = 29.0


class RestApi:
    max_request_bytes = 10 * 1024 * 1024

    def __init__(
        self,
        invoker: Invoker,
        *,
        timeout_seconds: float,
        show_disconnect: bool,
        say: Callable[[str], None],
        idle_seconds: float = _IDLE_SECONDS,
        answer_seconds: float = _ANSWER_SECONDS,
    ) -> None:
        self._invoker = invoker
        self._timeout_seconds = timeout_seconds
        self._show_disconnect = show_disconnect
        self._say = say
        self._idle_seconds = idle_seconds
        self._buffered = BufferedAnswer(answer_seconds=answer_seconds)

    async def refuse(self, http: HttpConnection, status: int) -> None:
        await gateway.refuse(http, status)

    async def answer(self, http: HttpConnection, request: HttpRequest) -> None:
        stage, _, path = request.path.removeprefix("/").partition("/")
        if stage not in (STREAM_STAGE, BUFFERED_STAGE):
            self._say(
                f"403 for {request.method}: the REST API's stages are /{STREAM_STAGE}, which"
                f" streams, and /{BUFFERED_STAGE}."
            )
            await gateway.refuse(http, 403)
            return
        arrival = self._invoker.arrival(request)
        event = rest_api_event(request, arrival, stage=stage, path=f"/{path}")
        if len(event) > MAX_EVENT_BYTES:  # Lambda's limit, below the API's own
            await gateway.refuse(http, gateway.STATUS_OF[Problem.TOO_LARGE])
        elif stage == STREAM_STAGE:
            await self._stream(http, request, event, arrival)
        else:
            await answer_buffered(
                http,
                request,
                event,
                arrival,
                door=self._buffered,
                invoker=self._invoker,
                say=self._say,
            )

    async def _stream(
        self, http: HttpConnection, request: HttpRequest, event: bytes, arrival: Arrival
    ) -> None:
        try:
            invocation, environment = self._invoker.begin(arrival, event)
        except ConcurrencyLimitError:
            await gateway.refuse(http, gateway.STATUS_OF[Problem.THROTTLED])
            return
        why = await StreamedResponse(
            http,
            invocation,
            environment,
            StreamedAnswer(http, idle_seconds=self._idle_seconds),
            method=request.method,
            # What API Gateway does with a body of zero bytes is not documented: the stricter rule.
            hang_seconds=self._timeout_seconds,
            show_disconnect=self._show_disconnect,
            wall_clock=self._invoker.wall_clock,
        ).run()
        if why is not None:
            self._say(f"{invocation.status} for {request.method} {invocation.request_id}: {why}")
