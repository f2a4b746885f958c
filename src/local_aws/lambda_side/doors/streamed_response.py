"""One response, from the function to the client of a front door that streams.

Kept as on AWS, because functions get them wrong:

* only a streamed answer of the integration content type has a prelude; what another one means is
  the door's own rule;
* nothing goes to the client before the first byte of the body, and a body of zero bytes hangs
  (https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/95);
* the function never learns that its client has left: its bytes are taken to the end
  (https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/145);
* a failure before the head is a 502, after it a transfer that breaks; trailers are not passed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import h11

from local_aws.lambda_side.doors.http_request import Pairs
from local_aws.lambda_side.doors.prelude import (
    INTEGRATION_CONTENT_TYPE,
    Prelude,
    PreludeError,
    PreludeParser,
)
from local_aws.lambda_side.environment import Environment
from local_aws.lambda_side.invocation import (
    Invocation,
    InvocationFailedError,
    Relay,
    ResponseHead,
)
from local_aws.servers.http_connection import HttpConnection, PeerClosedError

_BREAK_SECONDS = 1.0


class StreamingDoor(Protocol):
    """What one request's door makes of a streamed answer."""

    @property
    def idle_seconds(self) -> float | None:
        """How long the function may be silent; None: as long as it likes."""

    def plain(self, head: ResponseHead) -> Prelude:
        """For an answer without a prelude. Raises PreludeError where the door takes none."""

    def headers(self, prelude: Prelude, invocation: Invocation) -> Pairs:
        """What the client gets, without Transfer-Encoding."""

    async def refuse(self, status: int, invocation: Invocation) -> None:
        """Answers 502 or 504 on the function's behalf."""


class _BrokenTransferError(Exception):
    """The function's response cannot be ended properly; the client must see that."""


class StreamedResponse:
    """Passes one response on, by AWS's rules; `run` is called once."""

    def __init__(
        self,
        http: HttpConnection,
        invocation: Invocation,
        environment: Environment,
        door: StreamingDoor,
        *,
        method: str,
        hang_seconds: float,
        show_disconnect: bool,
        wall_clock: Callable[[], float],
    ) -> None:
        self._http = http
        self._invocation = invocation
        self._environment = environment
        self._door = door
        self._method = method
        self._hang_seconds = hang_seconds
        self._show_disconnect = show_disconnect
        self._wall_clock = wall_clock

    async def run(self) -> str | None:
        """Passes the response on; when the client got a 502 or 504 instead, says why.

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
            async with asyncio.timeout(self._door.idle_seconds):
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
            return await self._fail(502, str(failure))
        except PreludeError as error:
            await relay.detach()
            return await self._fail(502, str(error))
        except TimeoutError:
            await relay.detach()
            return await self._fail(504, f"no byte of a body in {self._door.idle_seconds:g} s")
        return None

    async def _read_head(self, relay: Relay) -> tuple[Prelude, bytes]:
        """The head and the first bytes of the body. Raises InvocationFailedError, PreludeError."""
        head = await relay.head()
        if not head.streamed or head.content_type != INTEGRATION_CONTENT_TYPE:
            return self._door.plain(head), await relay.read()
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
        headers = self._door.headers(prelude, self._invocation)
        if self._answer_has_body(prelude.status):
            headers.append(("Transfer-Encoding", "chunked"))
        try:
            await self._http.start_response(prelude.status, headers)
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            raise PreludeError(f"headers cannot be sent: {error}") from error
        self._invocation.status = prelude.status

    async def _copy(self, first: bytes, relay: Relay) -> None:
        chunk = first
        while chunk:
            await self._http.send(h11.Data(data=chunk))
            self._invocation.last_byte_at = self._wall_clock()
            try:
                async with asyncio.timeout(self._door.idle_seconds):
                    chunk = await relay.read()
            except InvocationFailedError as failure:
                raise _BrokenTransferError from failure
            except TimeoutError as error:
                await relay.detach()
                raise _BrokenTransferError from error

    def _answer_has_body(self, status: int) -> bool:
        return self._method != "HEAD" and status not in (204, 304)

    async def _fail(self, status: int, why: str) -> str:
        self._invocation.status = status
        await self._door.refuse(status, self._invocation)
        return why
