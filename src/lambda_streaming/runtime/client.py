"""The calls of the Lambda Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html)."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence

from lambda_streaming.responses import BufferedResponse, Response, Result, StreamingResponse
from lambda_streaming.runtime.connection import Connection, Endpoint
from lambda_streaming.runtime.error_report import error_report, error_type
from lambda_streaming.runtime.errors import ConnectionLostError, MalformedReplyError, RefusedError
from lambda_streaming.runtime.framing import (
    EMPTY_BODY,
    ERROR_BODY_TRAILER,
    ERROR_TYPE_HEADER,
    INTEGRATION_CONTENT_TYPE,
    LAST_CHUNK,
    chunk,
    encoded,
    is_field_value,
    percent_encoded,
    prelude_chunks,
    request_head,
)
from lambda_streaming.runtime.invocation import (
    Invocation,
    parse_client_context,
    parse_cognito_identity,
    parse_deadline,
)
from lambda_streaming.version import __version__

logger = logging.getLogger(__name__)

_API = "/2018-06-01/runtime"
# The Runtime API is on this machine and takes a buffered answer at memory speed.
_POST_SECONDS = 30.0


class RuntimeApi:
    """One connection to the Runtime API, kept from `/next` to the answer and on to `/next`."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        wall_clock: Callable[[], float],
        monotonic: Callable[[], float],
        connect_seconds: float = 1.0,
        empty_body: bytes = EMPTY_BODY,
    ) -> None:
        """`empty_body` is sent in place of a streamed body without content, as chunks."""
        self._base_path = endpoint.base_path + _API
        self._wall_clock = wall_clock
        self._monotonic = monotonic
        self.empty_body = empty_body
        self.connection = Connection(endpoint, connect_seconds=connect_seconds)
        python = ".".join(map(str, sys.version_info[:3]))
        self._common_fields = [
            ("Host", endpoint.authority),
            ("User-Agent", f"aws-lambda-python-sse/{python}-{__version__}"),
        ]

    async def next_invocation(self) -> Invocation:
        """Waits for as long as it takes. Raises RuntimeApiError."""
        request = self._head("GET", "/invocation/next")
        reply = await self.connection.exchange(request)
        if reply.status != 200:
            raise RefusedError("/invocation/next", reply.status)
        received = reply.headers
        request_id = received.get("lambda-runtime-aws-request-id", "")
        if not request_id:
            raise MalformedReplyError("/invocation/next gave an event without a request id")

        def text(name: str) -> str | None:
            return _readable(received.get(name, "")) or None

        return Invocation(
            request_id=_readable(request_id),
            path_id=percent_encoded(request_id),
            event=reply.body,
            deadline=parse_deadline(
                text("lambda-runtime-deadline-ms"),
                wall_clock=self._wall_clock,
                monotonic=self._monotonic,
            ),
            trace_header=text("lambda-runtime-trace-id"),
            function_arn=text("lambda-runtime-invoked-function-arn") or "",
            client_context=parse_client_context(text("lambda-runtime-client-context")),
            cognito_identity=parse_cognito_identity(text("lambda-runtime-cognito-identity")),
            invocation_id=_echoable(received.get("lambda-runtime-invocation-id")),
            tenant_id=text("lambda-runtime-aws-tenant-id"),
        )

    def answer_request(self, invocation: Invocation, result: Result) -> bytes:
        """The request that answers the invocation. Of a streamed one, all until the body's opening.

        Raises ValueError or TypeError for what cannot stand on the wire, before a byte is sent.
        """
        match result:
            case StreamingResponse():
                return self._streamed_head(invocation, result) + chunk(result.opening)
            case Response():
                head = self._streamed_head(invocation, result)
                return head + (chunk(encoded(result.body)) or self.empty_body) + LAST_CHUNK
            case BufferedResponse():
                fields = [("Content-Type", result.content_type), *_echo(invocation)]
                path = _invocation_path(invocation, "response")
                return self._sized_post(path, fields, result.payload)
            case _:
                raise TypeError(
                    "the handler must return Response, BufferedResponse or StreamingResponse, "
                    f"not {type(result).__name__}"
                )

    def error_request(self, invocation: Invocation, error: BaseException) -> bytes:
        """The request that reports a failed handler, in place of an answer."""
        fields = _error_fields(error_type(error)) + _echo(invocation)
        return self._sized_post(_invocation_path(invocation, "error"), fields, error_report(error))

    async def post(self, request: bytes, what: str) -> None:
        """Sends a request that is complete. Raises RuntimeApiError."""
        try:
            async with asyncio.timeout(_POST_SECONDS):
                reply = await self.connection.exchange(request)
        except TimeoutError as error:
            raise ConnectionLostError(f"no reply to {what} in {_POST_SECONDS:g} s") from error
        if not accepted(reply.status):
            raise RefusedError(what, reply.status)

    async def restore_next(self) -> None:
        """Returns in an environment restored from the snapshot. Raises RuntimeApiError."""
        reply = await self.connection.exchange(self._head("GET", "/restore/next"))
        # The snapshot's connection does not exist in the restored environment.
        self.connection.close()
        if reply.status != 200:
            raise RefusedError("/restore/next", reply.status)

    async def post_restore_error(self, error: BaseException) -> None:
        """Reports that this environment cannot be used. Raises RuntimeApiError."""
        fields = _error_fields("Runtime.AfterRestoreError")
        await self.post(
            self._sized_post("/restore/error", fields, error_report(error)), "/restore/error"
        )

    def close(self) -> None:
        self.connection.close()

    def _streamed_head(
        self, invocation: Invocation, response: Response | StreamingResponse
    ) -> bytes:
        fields = [
            ("Transfer-Encoding", "chunked"),
            ("Lambda-Runtime-Function-Response-Mode", "streaming"),
            ("Content-Type", INTEGRATION_CONTENT_TYPE),
            ("Trailer", f"{ERROR_TYPE_HEADER}, {ERROR_BODY_TRAILER}"),
            *_echo(invocation),
        ]
        head = self._head("POST", _invocation_path(invocation, "response"), fields)
        return head + prelude_chunks(response.status, response.headers, response.cookies)

    def _sized_post(self, path: str, fields: list[tuple[str, str]], body: bytes) -> bytes:
        return self._head("POST", path, [*fields, ("Content-Length", str(len(body)))]) + body

    def _head(self, method: str, path: str, fields: Sequence[tuple[str, str]] = ()) -> bytes:
        return request_head(method, self._base_path + path, [*self._common_fields, *fields])


def accepted(status: int) -> bool:
    """202 on AWS; `cargo lambda watch` answers 200."""
    return status in (200, 202)


def _readable(value: str) -> str:
    """With U+FFFD for what is no UTF-8: no log line and no JSON answer could hold it."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _echoable(invocation_id: str | None) -> str | None:
    if not invocation_id:
        return None
    if not is_field_value(invocation_id):
        logger.warning("Lambda-Runtime-Invocation-Id has a control character: it is not echoed")
        return None
    return invocation_id


def _echo(invocation: Invocation) -> list[tuple[str, str]]:
    if invocation.invocation_id is None:
        return []
    return [("Lambda-Runtime-Invocation-Id", invocation.invocation_id)]


def _error_fields(type_name: str) -> list[tuple[str, str]]:
    return [("Content-Type", "application/json"), (ERROR_TYPE_HEADER, type_name)]


def _invocation_path(invocation: Invocation, verb: str) -> str:
    return f"/invocation/{invocation.path_id}/{verb}"
