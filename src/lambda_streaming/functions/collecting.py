"""A streamed answer for a front door that takes only whole ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable

from lambda_streaming.responses import Response, StreamingResponse, StreamOutcome
from lambda_streaming.runtime.framing import encoded
from lambda_streaming.runtime.response_stream import ThreadedIterator, close_body


class BodyTooLarge(Exception):
    """More bytes than the front door takes in one answer."""


class OutOfTime(Exception):
    """The body did not end before the last moment."""


async def collected(
    response: StreamingResponse, *, limit_bytes: int, last_moment: float | None = None
) -> Response:
    """The answer with its whole body; `last_moment` is on the event loop's clock.

    A body that goes on after its end does so in `finish`, which is to be called when the answer is
    delivered. Raises BodyTooLarge, OutOfTime, and what the body raises; `finish` was called then.
    """
    collector = _Collector(limit_bytes)
    producing = asyncio.ensure_future(_produce(response, collector))
    ended = asyncio.ensure_future(collector.ended.wait())
    timeout = asyncio.timeout_at(last_moment)
    try:
        async with timeout:
            await asyncio.wait((producing, ended), return_when=asyncio.FIRST_COMPLETED)
        if not collector.ended.is_set():
            producing.result()
    except BaseException as error:
        producing.cancel()
        await asyncio.wait((producing,))
        is_shutdown = isinstance(error, asyncio.CancelledError)
        if response.finish is not None:
            outcome = StreamOutcome.SHUTDOWN if is_shutdown else StreamOutcome.FAILED
            await response.finish(outcome, None if is_shutdown else error)
        if timeout.expired():
            raise OutOfTime from error
        raise
    finally:
        ended.cancel()

    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        try:
            await producing
        finally:
            if response.finish is not None:
                await response.finish(outcome, error)

    return Response(
        bytes(collector.body), response.status, response.headers, response.cookies, finish
    )


async def _produce(response: StreamingResponse, write: _Collector) -> None:
    body = response.body
    try:
        if isinstance(body, AsyncIterable):
            async for block in body:
                await write(block)
        elif callable(body):
            await body(write)
        else:
            async for block in ThreadedIterator(body):
                await write(block)
    finally:
        await close_body(body)


class _Collector:
    """The `Write` of a body that is collected."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.body = bytearray()
        self.ended = asyncio.Event()
        self.stopped_by: StreamOutcome | None = None

    async def __call__(self, block: bytes | str) -> None:
        if self.ended.is_set():
            raise RuntimeError("the body has ended: nothing can be written after it")
        self.body += encoded(block)
        if len(self.body) > self._limit_bytes:
            raise BodyTooLarge(
                f"a body of more than {self._limit_bytes} bytes cannot be buffered: stream it"
            )

    async def end(self) -> None:
        self.ended.set()
