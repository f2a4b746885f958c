"""What serves an ASGI app in tests: a handler for the real runtime loop, and a runtime of no
sockets for virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambda_streaming.bridge.adapter import AsgiAdapter
from lambda_streaming.bridge.observer import EndReason
from lambda_streaming.bridge.types import Message, Receive, Scope, Send
from lambda_streaming.doors.recognise import read_event
from lambda_streaming.requests import Pairs, Request
from lambda_streaming.responses import (
    Body,
    BufferedResponse,
    Response,
    Result,
    StreamingResponse,
    StreamOutcome,
)
from lambda_streaming.runtime.error_report import error_type
from lambda_streaming.runtime.errors import ConnectionLostError
from lambda_streaming.runtime.framing import prelude_chunks
from lambda_streaming.runtime.invocation import LambdaContext
from tests.fakes.events import function_url_event
from tests.fakes.runtime_api import Event, Treatment


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def block(body: bytes = b"", more_body: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more_body}


EVENT_STREAM = (b"content-type", b"text/event-stream")


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start(200, (b"content-type", b"text/plain")))
    await send(block(b"hello"))


def get(
    path: str = "/",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    treatment: Treatment | None = None,
    lambda_headers: dict[str, str] | None = None,
) -> Event:
    """One invocation through a Function URL."""
    event = function_url_event(method, path, headers={"accept": "*/*"} | (headers or {}))
    return Event(
        json.dumps(event).encode(),
        headers=lambda_headers or {},
        treatment=treatment or Treatment(),
    )


def handler_of(
    adapter: AsgiAdapter, *, buffers: bool = False
) -> Callable[[bytes, LambdaContext], Awaitable[Result]]:
    """`buffers` answers as a direct invocation is: by one JSON object."""

    async def handler(event: bytes, context: LambdaContext) -> Result:
        request = read_event(event, context)
        if not buffers:
            return await adapter.stream(request)
        answer = await adapter.buffer(request)
        body = answer.body if isinstance(answer.body, str) else answer.body.decode()
        document = {"statusCode": answer.status, "body": body}
        return BufferedResponse(json.dumps(document).encode(), finish=answer.finish)

    return handler


@dataclass
class Observed:
    """An observer that keeps what it was told."""

    told: list[tuple[Any, ...]] = field(default_factory=list)
    scope: Scope = field(default_factory=dict)

    def began(self, scope: Scope) -> None:
        self.scope = scope
        self.told.append(("began",))

    def head_sent(self, status: int) -> None:
        self.told.append(("head_sent", status))

    def first_byte(self) -> None:
        self.told.append(("first_byte",))

    def body_ended(self, body_bytes: int, chunks: int, is_complete: bool) -> None:
        self.told.append(("body_ended", body_bytes, chunks))

    def app_returned(self, error: BaseException | None) -> None:
        self.told.append(("app_returned", error if error is None else type(error).__name__))

    def ended(self, reason: EndReason) -> None:
        self.told.append(("ended", reason))


@dataclass
class FakeContext:
    deadline: float | None = None
    aws_request_id: str = "request-1"


def request(
    method: str = "GET",
    *,
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    deadline: float | None = None,
) -> Request:
    context = FakeContext(deadline)
    return Request(method, "/", "/", headers=Pairs(headers), body=body, context=context)


@dataclass
class FakeWrite:
    """A socket that takes everything, until a test says otherwise."""

    at: list[tuple[float, bytes]] = field(default_factory=list)
    ended_at: float | None = None
    end_takes_seconds: float = 0.0
    is_lost: bool = False
    stopped_by: StreamOutcome | None = None

    async def __call__(self, block: bytes | str) -> None:
        assert isinstance(block, bytes)
        if self.is_lost or self.stopped_by is not None:
            raise ConnectionLostError("nobody reads")
        if self.ended_at is not None:
            raise RuntimeError("the body has ended: nothing can be written after it")
        self.at.append((asyncio.get_running_loop().time(), block))

    async def end(self) -> None:
        await self(b"")
        del self.at[-1]
        self.ended_at = asyncio.get_running_loop().time()
        await asyncio.sleep(self.end_takes_seconds)

    @property
    def body(self) -> bytes:
        return b"".join(block for _, block in self.at)


@dataclass
class Delivered:
    """An answer as a client and Lambda see it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    outcome: StreamOutcome
    head_at: float
    ended_at: float
    finished_at: float
    error_type: str | None = None
    cookies: tuple[str, ...] = ()


class FakeRuntime:
    """Does with a Result what the runtime does, without its sockets."""

    def __init__(self, adapter: AsgiAdapter) -> None:
        self._adapter = adapter
        self.write = FakeWrite()
        self._delivering: asyncio.Task[None] | None = None

    async def answer(self, request: Request, *, buffers: bool = False) -> Delivered:
        loop = asyncio.get_running_loop()
        result: Response | StreamingResponse
        if buffers:
            result = await self._adapter.buffer(request)
        else:
            result = await self._adapter.stream(request)
        prelude_chunks(result.status, result.headers, result.cookies)
        head_at = loop.time()
        outcome, error = StreamOutcome.COMPLETED, None
        if isinstance(result, StreamingResponse):
            if result.opening:
                await self.write(result.opening)
            outcome, error = await self._deliver(result.body)
            body = self.write.body
        else:
            body = result.body.encode() if isinstance(result.body, str) else result.body
        ended_at = loop.time() if self.write.ended_at is None else self.write.ended_at
        if result.finish is not None:
            await result.finish(outcome, error)
        headers = result.headers or ()
        return Delivered(
            status=result.status,
            headers=list(headers.items() if isinstance(headers, Mapping) else headers),
            body=body,
            outcome=outcome,
            head_at=head_at,
            ended_at=ended_at,
            finished_at=loop.time(),
            error_type=None if error is None else error_type(error),
            cookies=tuple(result.cookies),
        )

    def stop(self, outcome: StreamOutcome) -> None:
        """The stream is given up."""
        self.write.stopped_by = outcome
        assert self._delivering is not None
        self._delivering.cancel()

    async def _deliver(self, body: Body) -> tuple[StreamOutcome, BaseException | None]:
        assert callable(body)
        self._delivering = asyncio.ensure_future(body(self.write))
        try:
            await self._delivering
        except asyncio.CancelledError:
            assert self.write.stopped_by is not None
            return self.write.stopped_by, None
        except ConnectionLostError as error:
            return StreamOutcome.LOST, error
        except Exception as error:
            return StreamOutcome.FAILED, error
        return StreamOutcome.COMPLETED, None
