"""The Function URL in RESPONSE_STREAM mode: an HTTP request in, an invocation out."""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable

from local_aws.lambda_side.fleet import ConcurrencyLimitError, Fleet
from local_aws.lambda_side.function_url import cors
from local_aws.lambda_side.function_url.http_events import HttpRequest, function_url_event
from local_aws.lambda_side.function_url.url_errors import refuse
from local_aws.lambda_side.function_url.url_response import UrlResponse
from local_aws.lambda_side.invocation import Invocation
from local_aws.servers.connection_server import ConnectionServer
from local_aws.servers.http_connection import (
    HttpConnection,
    PeerProtocolError,
)
from local_aws.traces.trace_header import start_trace

MAX_REQUEST_BYTES = 6 * 1024 * 1024


class FunctionUrl:
    def __init__(
        self,
        fleet: Fleet,
        *,
        function_arn: str,
        sampled: bool,
        timeout_seconds: float,
        show_disconnect: bool,
        say: Callable[[str], None],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.invocations: deque[Invocation] = deque(maxlen=1000)
        self.throttled = 0
        self._fleet = fleet
        self._function_arn = function_arn
        self._sampled = sampled
        self._timeout_seconds = timeout_seconds
        self._show_disconnect = show_disconnect
        self._say = say
        self._wall_clock = wall_clock
        self._server = ConnectionServer(self._serve)

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._server.connections

    async def start(self, sock: socket.socket) -> None:
        await self._server.start(sock)

    async def stop_listening(self) -> None:
        await self._server.stop_listening()

    async def stop(self) -> None:
        await self._server.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = HttpConnection(reader, writer)
        try:
            while (head := await http.next_request()) is not None:
                body = await http.read_body(max_bytes=MAX_REQUEST_BYTES)
                if body is None:
                    await refuse(http, 413)
                    break
                request = HttpRequest(
                    method=head.method.decode(),
                    target=head.target.decode(),
                    headers=[(k.decode(), v.decode("latin-1")) for k, v in head.headers],
                    body=body,
                    source_ip=http.peer_address,
                    protocol=f"HTTP/{head.http_version.decode()}",
                )
                await self._answer(http, request)
        except PeerProtocolError:
            await refuse(http, 400)
        await http.close()

    async def _answer(self, http: HttpConnection, request: HttpRequest) -> None:
        headers = request.joined_headers
        if cors.is_preflight(request.method, headers):
            await http.respond(200, cors.preflight_headers(), b"")
            return
        now = self._wall_clock()
        trace = start_trace(
            headers.get("x-amzn-trace-id"), sampled_by_default=self._sampled, clock=lambda: now
        )
        request_id = str(uuid.uuid4())
        event = function_url_event(
            request,
            request_id=request_id,
            trace_header=headers.get("x-amzn-trace-id", f"Root={trace.root}"),
            received_at=now,
        )
        invocation = Invocation(
            request_id=request_id,
            event=event,
            trace=trace,
            function_arn=self._function_arn,
            received_at=now,
        )
        try:
            environment = self._fleet.begin(invocation)
        except ConcurrencyLimitError:
            self.throttled += 1
            await refuse(http, 429, trace=trace, request_headers=headers)
            return
        self.invocations.append(invocation)
        why = await UrlResponse(
            http,
            invocation,
            environment,
            method=request.method,
            request_headers=headers,
            hang_seconds=self._timeout_seconds,
            show_disconnect=self._show_disconnect,
            wall_clock=self._wall_clock,
        ).run()
        if why is not None:
            self._say(f"502 for {request.method} {invocation.request_id}: {why}")
