"""One response, from the function to the client of its Function URL.

Kept as on AWS, because functions get them wrong:

* only a streamed answer of the integration content type has a prelude; any other is passed on raw,
  as a 200 (https://github.com/aws/aws-lambda-go/issues/610);
* nothing goes to the client before the first byte of the body, and a body of zero bytes hangs
  (https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/95);
* the function never learns that its client has left: its bytes are taken to the end
  (https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/145);
* a failure before the head is a 502, after it a transfer that breaks; trailers are not passed on;
* Content-Length is renamed (https://github.com/cargo-lambda/cargo-lambda/issues/862).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import h11

from local_aws.lambda_side.environment import Environment
from local_aws.lambda_side.function_url import cors
from local_aws.lambda_side.function_url.cors import HeaderList
from local_aws.lambda_side.function_url.prelude import (
    INTEGRATION_CONTENT_TYPE,
    Prelude,
    PreludeError,
    PreludeParser,
)
from local_aws.lambda_side.function_url.url_errors import refuse
from local_aws.lambda_side.invocation import Invocation, InvocationFailedError, Relay
from local_aws.servers.http_connection import HttpConnection, PeerClosedError

_BREAK_SECONDS = 1.0
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "trailer", "upgrade"})
_OWN_HEADERS = frozenset({"date", "x-amzn-requestid", "x-amzn-trace-id"})


class _BrokenTransferError(Exception):
    """The function's response cannot be ended properly; the client must see that."""


class UrlResponse:
    """Passes one response on, by AWS's rules; `run` is called once."""

    def __init__(
        self,
        http: HttpConnection,
        invocation: Invocation,
        environment: Environment,
        *,
        method: str,
        request_headers: dict[str, str],
        hang_seconds: float,
        show_disconnect: bool,
        wall_clock: Callable[[], float],
    ) -> None:
        self._http = http
        self._invocation = invocation
        self._environment = environment
        self._method = method
        self._request_headers = request_headers
        self._hang_seconds = hang_seconds
        self._show_disconnect = show_disconnect
        self._wall_clock = wall_clock

    async def run(self) -> str | None:
        """Passes the response on; when the client got a 502 instead, says why.

        A client that leaves is noticed only by failing writes, unless the switch asks for more.
        Raises PeerClosedError when it has left.
        """
        relay = self._invocation.relay
        passing = asyncio.create_task(self._pass())
        broken = asyncio.create_task(relay.failed.wait())
        leaving = asyncio.create_task(self._leaves())
        try:
            await asyncio.wait({passing, broken, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done() and not passing.done():
                await self._client_left()
            elif broken.done() and not passing.done():
                # A client that does not read cannot take what is still buffered for it.
                await asyncio.wait({passing}, timeout=_BREAK_SECONDS)
                if not passing.done():
                    self._http.reset()
            try:
                return await passing
            except PeerClosedError:
                if not relay.failed.is_set():
                    await self._client_left()
                raise
        finally:
            for task in (passing, broken, leaving):
                task.cancel()
            await asyncio.gather(passing, broken, leaving, return_exceptions=True)

    async def _leaves(self) -> None:
        if not self._show_disconnect:
            await asyncio.Event().wait()
        await self._http.peer_closes()

    async def _client_left(self) -> None:
        self._invocation.client_left = True
        await self._invocation.relay.detach()
        if self._show_disconnect:
            self._environment.break_response()

    async def _pass(self) -> str | None:
        relay = self._invocation.relay
        try:
            prelude, first = await self._read_head(relay)
            await self._start(prelude)
            if self._answer_has_body(prelude.status):
                await self._copy(first, relay)
            else:
                await relay.detach()
            await self._http.send(h11.EndOfMessage())
        except _BrokenTransferError:
            # Not a reset: that would take from the client what it has not read yet.
            await self._http.close()
        except InvocationFailedError as failure:
            return await self._fail(str(failure))
        except PreludeError as error:
            await relay.detach()
            return await self._fail(str(error))
        return None

    async def _read_head(self, relay: Relay) -> tuple[Prelude, bytes]:
        """The head and the first bytes of the body. Raises InvocationFailedError, PreludeError."""
        head = await relay.head()
        if not head.streamed or head.content_type != INTEGRATION_CONTENT_TYPE:
            content_type = head.content_type or "application/octet-stream"
            return Prelude(200, (("Content-Type", content_type),)), await relay.read()
        parser = PreludeParser()
        body = b""
        while not body:
            chunk = await relay.read()
            if not chunk:
                break
            body = parser.feed(chunk)
        if parser.prelude is None:
            raise PreludeError("the response ended before the eight NULs of its prelude")
        if not body:
            await asyncio.sleep(self._hang_seconds)
            raise _BrokenTransferError
        return parser.prelude, body

    async def _start(self, prelude: Prelude) -> None:
        headers: HeaderList = []
        for name, value in prelude.headers:
            lowered = name.lower()
            if lowered == "content-length":
                headers.append(("x-amzn-remapped-content-length", value))
            elif lowered not in _HOP_BY_HOP and lowered not in _OWN_HEADERS:
                headers.append((name, value))
        headers += [("Set-Cookie", cookie) for cookie in prelude.cookies]
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "application/octet-stream"))
        headers += [
            ("x-amzn-RequestId", self._invocation.request_id),
            ("X-Amzn-Trace-Id", self._invocation.trace.client_header),
        ]
        if self._answer_has_body(prelude.status):
            headers.append(("Transfer-Encoding", "chunked"))
        try:
            await self._http.start_response(
                prelude.status, cors.with_cors(self._request_headers, headers)
            )
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            raise PreludeError(f"headers cannot be sent: {error}") from error
        self._invocation.status = prelude.status

    async def _copy(self, first: bytes, relay: Relay) -> None:
        chunk = first
        while chunk:
            await self._http.send(h11.Data(data=chunk))
            self._invocation.last_byte_at = self._wall_clock()
            try:
                chunk = await relay.read()
            except InvocationFailedError as failure:
                raise _BrokenTransferError from failure

    def _answer_has_body(self, status: int) -> bool:
        return self._method != "HEAD" and status not in (204, 304)

    async def _fail(self, why: str) -> str:
        self._invocation.status = 502
        await refuse(
            self._http,
            502,
            trace=self._invocation.trace,
            request_headers=self._request_headers,
        )
        return why
