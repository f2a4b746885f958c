"""The Lambda Runtime API, one listener for each execution environment.

Answers and refusals are those of RAPID, read in aws-lambda-runtime-interface-emulator,
internal/lambda/rapi (router, handler, rendering, middleware):

* the request id is checked before the state, and waits while a response is being copied, so that
  /error during an open /response hangs until that has ended and then gets a 403;
* the reply to /response comes when the whole body has arrived;
* an error reply leaves the rest of the request unread or reads at most 256 KiB of it (Go's server).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from functools import partial

import h11

from local_aws.lambda_side.bandwidth import Bandwidth
from local_aws.lambda_side.invocation import Invocation, Outcome, ResponseHead
from local_aws.lambda_side.runtime_state import (
    Call,
    InvalidStateTransitionError,
    RuntimeStateMachine,
    State,
)
from local_aws.servers.connection_server import ConnectionServer
from local_aws.servers.http_connection import (
    HttpConnection,
    PeerClosedError,
    PeerProtocolError,
    bound_socket,
)
from local_aws.servers.page_refusal import page_refusal

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024 + 100
_MAX_ERROR_BODY_BYTES = 1024 * 1024
_UNREAD_BODY_BYTES = 256 * 1024
_VERSION = "/2018-06-01/runtime"
_INVOCATION_PATH = re.compile(rf"{_VERSION}/invocation/([^/]+)/(response|error)")
_ERROR_TYPE = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")
_RESPONSE_MODE = "lambda-runtime-function-response-mode"
_ERROR_TYPE_HEADER = "lambda-runtime-function-error-type"


class RuntimeApi:
    """Hands out one event at a time and takes its response.

    `idle` is set while the runtime waits for an event or after it has reported a failed init.
    """

    def __init__(
        self,
        *,
        make_bandwidth: Callable[[], Bandwidth] | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`make_bandwidth` makes the limits of one streamed response; None lets all bytes pass."""
        self.idle = asyncio.Event()
        self.init_error: tuple[str, bytes] | None = None
        self._make_bandwidth = make_bandwidth
        self._wall_clock = wall_clock
        self._machine = RuntimeStateMachine()
        self._invocation: Invocation | None = None
        self._delivered = asyncio.Event()
        self._copying = asyncio.Lock()
        self._response_connection: HttpConnection | None = None
        self._server = ConnectionServer(self._serve)

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API holds: bare host:port, as on AWS."""
        return f"127.0.0.1:{self._server.port}"

    async def start(self) -> None:
        await self._server.start(bound_socket(0))

    async def stop(self) -> None:
        self.break_response()
        await self._server.stop()

    def deliver(self, invocation: Invocation) -> None:
        """Answers the waiting /next with this invocation's event."""
        self._machine.apply(Call.EVENT)
        self._invocation = invocation
        self.idle.clear()
        self._delivered.set()

    def break_response(self) -> None:
        """Resets the connection of the response in flight, if there is one."""
        if self._response_connection is not None:
            self._response_connection.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = HttpConnection(reader, writer)
        while (request := await http.next_request()) is not None:
            refusal = page_refusal(partial(_header, request))
            try:
                if refusal is not None:
                    await _refuse(http, refusal.status, refusal.code, refusal.message)
                else:
                    await self._route(http, request)
            except InvalidStateTransitionError as error:
                await _refuse(http, 403, "InvalidStateTransition", str(error))
            if not await http.skip_body(max_bytes=_UNREAD_BODY_BYTES):
                break
        await http.close()

    async def _route(self, http: HttpConnection, request: h11.Request) -> None:
        method, path = request.method.decode(), request.target.decode()
        about_invocation = _INVOCATION_PATH.fullmatch(path)
        if about_invocation and method == "POST":
            await self._answer(http, request, *about_invocation.groups())
        elif (method, path) == ("GET", f"{_VERSION}/invocation/next"):
            await self._next(http)
        elif (method, path) == ("POST", f"{_VERSION}/init/error"):
            await self._init_error(http, request, Call.INIT_ERROR)
        elif (method, path) == ("GET", f"{_VERSION}/restore/next"):
            self._machine.apply(Call.RESTORE_NEXT)
            await http.respond(200, (), b"")
        elif (method, path) == ("POST", f"{_VERSION}/restore/error"):
            await self._init_error(http, request, Call.RESTORE_ERROR)
        else:
            text = [("Content-Type", "text/plain; charset=utf-8")]
            await http.respond(404, text, b"404 page not found\n")

    async def _next(self, http: HttpConnection) -> None:
        if self._machine.apply(Call.NEXT) is State.READY:
            self._invocation = None
            self._delivered.clear()
            self.idle.set()
        await self._delivered.wait()
        invocation = self._invocation
        assert invocation is not None
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Trace-Id": invocation.trace.function_header,
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invocation-Id": invocation.invocation_id,
            "Content-Type": "application/json",
        }
        if invocation.client_context is not None:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        await http.respond(200, headers.items(), invocation.event)

    async def _answer(
        self, http: HttpConnection, request: h11.Request, request_id: str, what: str
    ) -> None:
        async with self._copying:
            invocation = self._invocation
        if invocation is None or invocation.request_id != request_id:
            await _refuse(http, 400, "InvalidRequestID", "Invalid request ID")
        elif what == "error":
            await self._error(http, request, invocation)
        else:
            await self._response(http, request, invocation)

    async def _response(
        self, http: HttpConnection, request: h11.Request, invocation: Invocation
    ) -> None:
        self._machine.apply(Call.RESPONSE)
        mode = _header(request, _RESPONSE_MODE)
        if mode not in (None, "", "streaming"):
            # RAPID leaves the runtime in this state: its next call is refused, and it gives up.
            invocation.error_type = "Runtime.InvalidResponseModeHeader"
            await self._fail(invocation, Outcome.BAD_MODE)
            await _refuse(
                http, 400, "InvalidFunctionResponseMode", "Invalid function response mode"
            )
            return
        head = ResponseHead(streamed=bool(mode), content_type=_header(request, "content-type"))
        self._response_connection = http
        try:
            async with self._copying:
                took_all = await (self._stream if head.streamed else self._buffer)(
                    http, invocation, head
                )
        except (PeerClosedError, PeerProtocolError):
            await self._fail(invocation, Outcome.TRUNCATED)
            self._machine.apply(Call.SENT)
            await _refuse(http, 400, "TruncatedHTTPRequest", "HTTP request detected as truncated")
            return
        finally:
            self._response_connection = None
        self._machine.apply(Call.SENT)
        if not took_all:
            invocation.error_type = "Function.ResponseSizeTooLarge"
            await self._fail(invocation, Outcome.TOO_LARGE)
            await _refuse(
                http,
                413,
                "RequestEntityTooLarge",
                f"Exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes).",
            )
            return
        invocation.trailers = http.trailers
        invocation.answered_at = self._wall_clock()
        if invocation.outcome is Outcome.RUNNING:
            invocation.outcome = Outcome.ANSWERED
        await invocation.relay.finish()
        await _accept(http)

    async def _stream(
        self, http: HttpConnection, invocation: Invocation, head: ResponseHead
    ) -> bool:
        await invocation.relay.start(head)
        bandwidth = self._make_bandwidth() if self._make_bandwidth is not None else None
        async for chunk in http.body():
            if bandwidth is not None:
                if bandwidth.exceeds_total(len(chunk)):
                    return False
                wait_seconds = bandwidth.take(len(chunk))
                if wait_seconds > 0:
                    await asyncio.sleep(wait_seconds)
            invocation.response_bytes += len(chunk)
            await invocation.relay.write(chunk)
        return True

    async def _buffer(
        self, http: HttpConnection, invocation: Invocation, head: ResponseHead
    ) -> bool:
        body = await http.read_body(max_bytes=MAX_PAYLOAD_BYTES)
        if body is None:
            return False
        invocation.response_bytes = len(body)
        await invocation.relay.start(head)
        await invocation.relay.write(body)
        return True

    async def _error(
        self, http: HttpConnection, request: h11.Request, invocation: Invocation
    ) -> None:
        self._machine.apply(Call.ERROR)
        invocation.error_type = _valid_error_type(_header(request, _ERROR_TYPE_HEADER))
        invocation.error_body = await http.read_body(max_bytes=_MAX_ERROR_BODY_BYTES) or b""
        await self._fail(invocation, Outcome.ERROR)
        self._machine.apply(Call.SENT)
        await _accept(http)

    async def _init_error(self, http: HttpConnection, request: h11.Request, call: Call) -> None:
        self._machine.apply(call)
        body = await http.read_body(max_bytes=_MAX_ERROR_BODY_BYTES) or b""
        self.init_error = _valid_error_type(_header(request, _ERROR_TYPE_HEADER)), body
        await _accept(http)
        self.idle.set()

    async def _fail(self, invocation: Invocation, outcome: Outcome) -> None:
        if invocation.outcome is Outcome.RUNNING:
            invocation.outcome = outcome
        invocation.answered_at = self._wall_clock()
        await invocation.relay.fail(outcome)


def _header(request: h11.Request, name: str) -> str | None:
    for key, value in request.headers:
        if key.decode() == name:
            return value.decode("latin-1")
    return None


def _valid_error_type(given: str | None) -> str:
    """RAPID's rule (fatalerror.go): `Function.ValueError` stays, `ValueError` does not."""
    if given and _ERROR_TYPE.search(given):
        return given
    return "Function.Unknown" if (given or "").startswith("Function.") else "Runtime.Unknown"


async def _accept(http: HttpConnection) -> None:
    await http.respond(202, [("Content-Type", "application/json")], b'{"status":"OK"}\n')


async def _refuse(http: HttpConnection, status: int, error_type: str, message: str) -> None:
    body = json.dumps({"errorMessage": message, "errorType": error_type}).encode() + b"\n"
    await http.respond(status, [("Content-Type", "application/json")], body)
