"""Invoke and InvokeWithResponseStream.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html

Unlike on AWS, signatures are not checked, an event that fails is not tried again, and one that is
throttled is refused instead of queued.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

import h11

from local_aws.lambda_side.doors.http_request import HttpRequest, Pairs
from local_aws.lambda_side.doors.invoker import MAX_EVENT_BYTES, Invoker
from local_aws.lambda_side.doors.payload import whole_payload
from local_aws.lambda_side.fleet import ConcurrencyLimitError
from local_aws.lambda_side.invocation import Invocation, InvocationFailedError
from local_aws.lambda_side.invoke_api import event_frames, refusals
from local_aws.lambda_side.invoke_api.function_error import (
    FunctionError,
    error_in_trailers,
    function_error,
    log_result,
)
from local_aws.lambda_side.invoke_api.refusals import InvokeRefusedError
from local_aws.lambda_side.log import FunctionLog
from local_aws.servers.http_connection import HttpConnection, PeerClosedError
from local_aws.servers.page_refusal import page_refusal

_PATH = re.compile(
    r"/(?P<version>2015-03-31|2021-11-15)/functions/(?P<name>[^/]+)/"
    r"(?P<what>invocations|response-streaming-invocations)"
)
_OPERATIONS = {
    ("2015-03-31", "invocations"): False,
    ("2021-11-15", "response-streaming-invocations"): True,
}
# A name, a partial ARN or a whole one; each may end with a version or an alias.
_FUNCTION = re.compile(
    r"(?:(?:arn:aws[\w-]*:lambda:[\w-]+:)?\d{12}:function:)?([\w-]+)(?::([\w$-]+))?", re.ASCII
)
_LATEST = "$LATEST"
_MAX_ASYNCHRONOUS_BYTES = 1024 * 1024
_REQUEST_RESPONSE, _EVENT, _DRY_RUN = "RequestResponse", "Event", "DryRun"


@dataclass(frozen=True, slots=True)
class _Call:
    streams: bool
    invocation_type: str
    wants_log: bool
    client_context: str | None
    event: bytes


class InvokeApi:
    max_request_bytes = MAX_EVENT_BYTES

    def __init__(
        self,
        invoker: Invoker,
        log: FunctionLog,
        *,
        function_name: str,
        memory_mb: int,
        timeout_seconds: float,
    ) -> None:
        self._invoker = invoker
        self._log = log
        self._function_name = function_name
        self._memory_mb = memory_mb
        self._timeout_seconds = timeout_seconds

    async def refuse(self, http: HttpConnection, status: int) -> None:
        if status == 413:
            await _respond_refusal(http, refusals.too_large(self.max_request_bytes))
        else:
            await http.respond(status, [], b"")

    async def answer(self, http: HttpConnection, request: HttpRequest) -> None:
        headers = request.joined_headers
        refusal = page_refusal(headers.get)
        if refusal is not None:
            json_type = [("Content-Type", "application/json")]
            await http.respond(refusal.status, json_type, refusal.body)
            return
        try:
            call = self._read(request, headers)
            if call.invocation_type == _DRY_RUN:
                await http.respond(204, [("X-Amz-Executed-Version", _LATEST)], b"")
            else:
                await self._invoke(http, call, request)
        except InvokeRefusedError as refused:
            await _respond_refusal(http, refused)

    def _read(self, request: HttpRequest, headers: Mapping[str, str]) -> _Call:
        """Raises InvokeRefusedError."""
        match = _PATH.fullmatch(request.path)
        streams = _OPERATIONS.get((match["version"], match["what"])) if match else None
        if match is None or streams is None or request.method != "POST":
            raise refusals.no_such_path()
        self._check_name(unquote(match["name"]), parse_qs(request.query).get("Qualifier"))
        invocation_type = headers.get("x-amz-invocation-type") or _REQUEST_RESPONSE
        allowed = (
            [_REQUEST_RESPONSE, _DRY_RUN] if streams else [_REQUEST_RESPONSE, _EVENT, _DRY_RUN]
        )
        if invocation_type not in allowed:
            raise refusals.invalid("invocationType", invocation_type, f"one of {allowed}")
        if invocation_type == _EVENT and len(request.body) > _MAX_ASYNCHRONOUS_BYTES:
            raise refusals.too_large(_MAX_ASYNCHRONOUS_BYTES)
        return _Call(
            streams=streams,
            invocation_type=invocation_type,
            wants_log=headers.get("x-amz-log-type") == "Tail",
            client_context=_client_context(headers.get("x-amz-client-context")),
            event=_event(request.body),
        )

    def _check_name(self, given: str, qualifiers: list[str] | None) -> None:
        """Raises InvokeRefusedError for a function or a version that is not here."""
        match = _FUNCTION.fullmatch(given)
        if match is None:
            raise refusals.invalid("functionName", given, "a function's name or its ARN")
        name, qualifier = match.groups()
        qualifier = qualifiers[-1] if qualifiers else qualifier
        if name != self._function_name or qualifier not in (None, _LATEST):
            arn = self._invoker.function_arn.rpartition(":")[0] + f":{name}"
            whole = f"{arn}:{qualifier}" if qualifier else arn
            raise refusals.not_found(whole, self._function_name)

    async def _invoke(self, http: HttpConnection, call: _Call, request: HttpRequest) -> None:
        arrival = self._invoker.arrival(request)
        try:
            invocation, environment = self._invoker.begin(
                arrival, call.event, client_context=call.client_context
            )
        except ConcurrencyLimitError:
            raise refusals.throttled() from None
        invocation.status = 200
        lines_before = self._log.count(environment.number)
        headers = [
            ("X-Amzn-RequestId", invocation.request_id),
            ("X-Amzn-Trace-Id", invocation.trace.client_header),
            ("X-Amz-Executed-Version", _LATEST),
        ]
        if call.invocation_type == _EVENT:
            await invocation.relay.detach()
            await http.respond(202, headers[:2], b"")
        elif call.streams:
            await self._stream(http, call, invocation, headers, lines_before)
        else:
            await self._whole(http, call, invocation, headers, lines_before)

    async def _whole(
        self,
        http: HttpConnection,
        call: _Call,
        invocation: Invocation,
        headers: Pairs,
        lines_before: int,
    ) -> None:
        error: FunctionError | None
        try:
            payload = await whole_payload(invocation.relay)
            error = error_in_trailers(invocation)
        except InvocationFailedError as failure:
            error = self._error_of(invocation, failure)
            payload = error.payload
        if error is not None:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        if call.wants_log:
            headers.append(("X-Amz-Log-Result", await self._tail(invocation, lines_before)))
        headers.append(("Content-Type", "application/json"))
        await http.respond(200, headers, payload)

    async def _stream(
        self,
        http: HttpConnection,
        call: _Call,
        invocation: Invocation,
        headers: Pairs,
        lines_before: int,
    ) -> None:
        """The status is 200 whatever the function does: how it ended comes last."""
        relay = invocation.relay
        framing = [("Content-Type", event_frames.CONTENT_TYPE), ("Transfer-Encoding", "chunked")]
        try:
            await http.start_response(200, [*headers, *framing])
            fields = {}
            try:
                await relay.head()
                while chunk := await relay.read():
                    await http.send(h11.Data(data=event_frames.payload_chunk(chunk)))
                    invocation.last_byte_at = self._invoker.wall_clock()
                error = error_in_trailers(invocation)
            except InvocationFailedError as failure:
                error = self._error_of(invocation, failure)
            if error is not None:
                details = error.payload.decode(errors="replace")
                fields = {"ErrorCode": error.code, "ErrorDetails": details}
            if call.wants_log:
                fields["LogResult"] = await self._tail(invocation, lines_before)
            await http.send(h11.Data(data=event_frames.invoke_complete(fields)))
            await http.send(h11.EndOfMessage())
        except PeerClosedError:
            invocation.client_left = True
            await relay.detach()
            raise

    def _error_of(self, invocation: Invocation, failure: InvocationFailedError) -> FunctionError:
        return function_error(invocation, failure.outcome, timeout_seconds=self._timeout_seconds)

    async def _tail(self, invocation: Invocation, lines_before: int) -> str:
        """What the function wrote in this invocation, between the lines that Lambda itself adds."""
        await invocation.finished.wait()
        request = f"RequestId: {invocation.request_id}"
        started = invocation.started_at or invocation.received_at
        milliseconds = max(0.0, (invocation.finished_at - started) * 1000)
        lines = [
            f"START {request} Version: {_LATEST}",
            *self._log.lines_since(invocation.environment, lines_before),
            f"END {request}",
            f"REPORT {request}\tDuration: {milliseconds:.2f} ms\tMemory Size: {self._memory_mb} MB",
        ]
        return log_result("\n".join([*lines, ""]))


def _client_context(given: str | None) -> str | None:
    """JSON in base64. Raises InvokeRefusedError."""
    if not given:
        return None
    try:
        text = base64.b64decode(given, validate=True).decode()
        json.loads(text)
    except (binascii.Error, ValueError):
        raise InvokeRefusedError(
            400, "InvalidRequestContentException", "Client context must be a valid Base64 JSON."
        ) from None
    return text


def _event(body: bytes) -> bytes:
    """Raises InvokeRefusedError for what is not JSON; no payload is an empty object."""
    if not body:
        return b"{}"
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise refusals.not_json(str(error)) from None
    return body


async def _respond_refusal(http: HttpConnection, refused: InvokeRefusedError) -> None:
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", refused.error_type)]
    await http.respond(refused.status, headers, refused.body)
