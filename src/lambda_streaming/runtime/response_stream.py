"""Sends one streamed body, and watches the socket meanwhile.

The rules: one `send` per yielded block, nothing merged or held back; the body is asked for its
next block only after the socket accepted the last one; no timer and no wait as long as the socket
accepts whole blocks; and however the stream ends, the body is closed when `run` returns.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar, cast

from lambda_streaming.concurrency.threads import DaemonThreads
from lambda_streaming.responses import StreamingResponse, StreamOutcome
from lambda_streaming.runtime.client import accepted
from lambda_streaming.runtime.connection import Connection, lost
from lambda_streaming.runtime.error_report import (
    error_trailer_body,
    error_type,
    log_failure,
    run_guarded,
)
from lambda_streaming.runtime.errors import ConnectionLostError, RefusedError, RuntimeApiError
from lambda_streaming.runtime.framing import (
    EMPTY_BODY,
    LAST_CHUNK,
    chunk,
    encoded,
    last_chunk_with_trailers,
)
from lambda_streaming.runtime.http_parser import Reply

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A body that never waits would keep the event loop from running, and the socket unwatched.
_BLOCKS_PER_LOOP_PASS = 64
_END = object()

_WATCH_SECONDS = 0.05
"""For what `until` does when it is cancelled; after SIGTERM 120 ms are left for everything
(runtime/termination.py)."""


class ResponseStream:
    """One streamed answer. To be run once."""

    def __init__(
        self,
        connection: Connection,
        response: StreamingResponse,
        *,
        monotonic: Callable[[], float],
        empty_body: bytes = EMPTY_BODY,
    ) -> None:
        """`empty_body` is sent in place of a body without content, as chunks."""
        self._connection = connection
        self._response = response
        self._monotonic = monotonic
        self._empty_body = empty_body
        self._task: asyncio.Task[None] | None = None
        self._outcome: StreamOutcome | None = None
        self._error: BaseException | None = None
        self._stopped = False
        self._ended = False
        self._reply: Reply | None = None
        self._replied = asyncio.Event()
        self._writable: asyncio.Future[None] | None = None
        self._writer: Writer | None = None
        self._blocks: Iteration[bytes | str] | None = None
        self.is_empty = not response.opening
        self._body_ended = False
        self.takes_blocks = True

    async def run(
        self, head: bytes, context: contextvars.Context
    ) -> tuple[StreamOutcome, BaseException | None]:
        """Sends the head, which ends with the opening, then the body, which runs in `context`.

        Returns how it ended, and what the body raised or how the connection broke.
        """
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._send_all(head), context=context)
        watch = None
        if self._response.until is not None:
            watch = loop.create_task(self._watch(self._response.until), context=context)
        try:
            await asyncio.wait((self._task,))
        except asyncio.CancelledError:
            self.stop(StreamOutcome.SHUTDOWN)
            await asyncio.wait((self._task,))
            raise
        finally:
            if watch is not None:
                watch.cancel()
                await asyncio.wait((watch,), timeout=_WATCH_SECONDS)
        self._task.result()
        # The traceback of the error leads back to this object: keep no cycle of them.
        error, self._error = self._error, None
        return self._outcome or StreamOutcome.COMPLETED, error

    async def _watch(self, until: Callable[[], Awaitable[None]]) -> None:
        try:
            await until()
        except Exception as error:
            log_failure(logger, "what watches for the end of a stream failed", error)
        else:
            self.stop(StreamOutcome.CLOSED)

    def stop(self, outcome: StreamOutcome, error: BaseException | None = None) -> None:
        """Ends the stream now, cancelling the producer wherever it waits."""
        if self._task is None or self._stopped or self._ended:
            return
        self._stopped = True
        self.takes_blocks = False
        if self._outcome is None:
            self._outcome, self._error = outcome, error
        self._release_writer()  # which may be another task than the one that is cancelled
        self._task.cancel()

    async def _send_all(self, head: bytes) -> None:
        try:
            await self._connection.begin()
            await self._exchange(head)
        except asyncio.CancelledError:
            pass  # by stop(), which knows why
        except RuntimeApiError as error:
            logger.warning("answer not delivered: %s", error)
            if self._outcome is None:
                self._outcome, self._error = StreamOutcome.LOST, error
        finally:
            self._ended = True  # from here on stop() does nothing: the body cleans up
            self.takes_blocks = False
            self._release_writer()
            if self._stopped or self._reply is None or not self._reply.keep_alive:
                self._connection.close()
            if self._blocks is not None:
                await self._blocks.aclose()
            await close_body(self._response.body)
            self._writer = None  # which has a reference to this object: keep no circle of them

    async def _exchange(self, head: bytes) -> None:
        loop = asyncio.get_running_loop()
        descriptor = self._connection.sock.fileno()
        try:
            sent_bytes = self._connection.try_send(head)  # before anything else: a client waits
            loop.add_reader(descriptor, self._receive)
            if sent_bytes < len(head):
                await self.send(memoryview(head)[sent_bytes:])
            end = await self._send_body()
            if not self._body_ended:
                await self.end_body(end)
            await self._wait_for_reply()
        except ConnectionLostError:
            self._take_reply()  # a reply that came first says more than the broken pipe does
            raise
        finally:
            loop.remove_reader(descriptor)

    async def _send_body(self) -> bytes:
        """Sends block by block; returns the chunk that is to end the body."""
        body = self._response.body
        try:
            if isinstance(body, AsyncIterable) or not callable(body):
                self._blocks = Iteration(body)
                await self._send_blocks(self._blocks)
            else:
                self._writer = Writer(self)
                await body(self._writer)
        except ConnectionLostError:
            raise
        except BaseException as error:
            if self._stopped:
                if not isinstance(error, asyncio.CancelledError):
                    log_failure(logger, "the body failed on its cancellation", error)
            elif self._body_ended:
                log_failure(logger, "the work after the body failed", error)
                self._error = error
            else:
                log_failure(logger, "the body failed after its head was sent", error)
                self._outcome, self._error = StreamOutcome.FAILED, error
                return last_chunk_with_trailers(error_type(error), error_trailer_body(error))
        if self._stopped:
            raise asyncio.CancelledError
        return LAST_CHUNK

    # For bodies that are functions

    @property
    def stopped_by(self) -> StreamOutcome | None:
        return self._outcome if self._stopped else None

    @property
    def send_once(self) -> Callable[[bytes | memoryview], int]:
        """The socket's own method."""
        return self._connection.sock.send

    def check_writable(self) -> None:
        if self._body_ended:
            raise RuntimeError("the body has ended: nothing can be written after it")
        if self._stopped or self._ended:
            raise ConnectionLostError("the answer was given up")

    def send_now(self, framed: bytes | memoryview) -> int:
        """How many bytes were accepted at once."""
        return self._connection.try_send(framed)

    async def end_body(self, end: bytes) -> None:
        if self._writer is not None:
            await self._writer.flush()
        self._body_ended = True
        self.takes_blocks = False
        await self.send(self._empty_body + end if self.is_empty else end)

    async def _send_blocks(self, blocks: AsyncIterable[bytes | str]) -> None:
        send = self._connection.sock.send
        blocks_left = _BLOCKS_PER_LOOP_PASS
        is_empty = self.is_empty
        try:
            async for block in blocks:
                if self._stopped:  # and the body swallowed its cancellation
                    return
                if block:
                    is_empty = False
                    try:
                        framed = b"%x\r\n%b\r\n" % (len(block), block)  # type: ignore[str-format]
                    except TypeError:  # it is text
                        framed = chunk(encoded(block))
                    try:
                        accepted_bytes = send(framed)
                    except (BlockingIOError, InterruptedError):
                        accepted_bytes = 0
                    except OSError as error:
                        raise lost(error) from error
                    if accepted_bytes != len(framed):
                        await self.send(memoryview(framed)[accepted_bytes:])
                blocks_left -= 1
                if not blocks_left:
                    blocks_left = _BLOCKS_PER_LOOP_PASS
                    await asyncio.sleep(0)
        finally:
            self.is_empty = is_empty

    async def send(self, data: bytes | memoryview) -> None:
        """Sends all of it, waiting as often as the socket is full."""
        rest = memoryview(data)
        while rest := rest[self._connection.try_send(rest) :]:
            await self.wait_until_writable()

    async def wait_until_writable(self) -> None:
        loop = asyncio.get_running_loop()
        writable = loop.create_future()
        descriptor = self._connection.sock.fileno()
        loop.add_writer(descriptor, _resolve, writable)
        self._writable = writable
        stall = self._start_stall_timer(loop)
        try:
            await writable
        finally:
            stall.cancel()
            if self._writable is writable:
                self._release_writer()

    def _release_writer(self) -> None:
        """To be called before the socket is closed: its descriptor may soon be another's."""
        writable, self._writable = self._writable, None
        if writable is not None:
            asyncio.get_running_loop().remove_writer(self._connection.sock.fileno())
            if not writable.done():
                writable.set_exception(ConnectionLostError("the answer was given up"))

    async def _wait_for_reply(self) -> None:
        """The reply comes when the client has been sent the last byte, so it can stall, too."""
        stall = self._start_stall_timer(asyncio.get_running_loop())
        try:
            await self._replied.wait()
        finally:
            stall.cancel()

    def _start_stall_timer(self, loop: asyncio.AbstractEventLoop) -> asyncio.TimerHandle:
        timeout_seconds = self._response.stall_seconds
        if self._response.write_deadline is not None:
            seconds_left = self._response.write_deadline - self._monotonic()
            timeout_seconds = min(timeout_seconds, seconds_left)
        timeout_seconds = max(0.0, timeout_seconds)
        return loop.call_later(timeout_seconds, self._give_up, timeout_seconds)

    def _give_up(self, timeout_seconds: float) -> None:
        logger.warning("answer given up: nothing was accepted for %.3g s", timeout_seconds)
        self.stop(StreamOutcome.STALLED)

    def _take_reply(self) -> None:
        """Reads what has come. The reply is due only after the body's end.

        A refusal or an end of the connection ends the stream. An early 200 does not:
        `cargo lambda watch` answers before it has read the body, and goes on reading.
        """
        received = self._connection.receive_ready()
        if received is None:
            return
        if not received and self._reply is not None and not self._body_ended:
            raise ConnectionLostError("the Runtime API closed the connection under the body")
        reply = self._connection.feed(received)
        if reply is None:
            return
        if not accepted(reply.status):
            raise RefusedError("/response", reply.status)
        self._reply = reply
        self._replied.set()

    def _receive(self) -> None:
        try:
            self._take_reply()
        except RuntimeApiError as error:
            asyncio.get_running_loop().remove_reader(self._connection.sock.fileno())
            logger.warning("answer not delivered: %s", error)
            self.stop(StreamOutcome.LOST, error)
        if self._body_ended and self._reply is not None:  # what follows is for the next exchange
            asyncio.get_running_loop().remove_reader(self._connection.sock.fileno())


class Writer:
    """The `Write` of a body that is a function: sends from the task that calls it.

    A call waits only where the socket does not take its block whole, or while another call waits.
    A block that was begun is sent to its end, also where the task that began it is cancelled.
    """

    def __init__(self, stream: ResponseStream) -> None:
        self._stream = stream
        self._send = stream.send_once
        self._sending = asyncio.Lock()
        self._unsent: deque[memoryview] = deque()
        self._blocks_left = _BLOCKS_PER_LOOP_PASS

    @property
    def stopped_by(self) -> StreamOutcome | None:
        return self._stream.stopped_by

    async def __call__(self, block: bytes | str) -> None:
        # Few calls: this is all that happens for each block of a body.
        stream = self._stream
        if not stream.takes_blocks:
            stream.check_writable()
        if block:
            try:
                framed = b"%x\r\n%b\r\n" % (len(block), block)  # type: ignore[str-format]
            except TypeError:  # it is text
                framed = chunk(encoded(block))
            stream.is_empty = False
            try:
                accepted_bytes = 0 if self._unsent else self._send(framed)
            except (BlockingIOError, InterruptedError):
                accepted_bytes = 0
            except OSError as error:
                raise lost(error) from error
            if accepted_bytes != len(framed):
                self._unsent.append(memoryview(framed)[accepted_bytes:])
                await self.flush()
        self._blocks_left -= 1
        if not self._blocks_left:
            self._blocks_left = _BLOCKS_PER_LOOP_PASS
            await asyncio.sleep(0)

    async def end(self) -> None:
        self._stream.check_writable()
        await self._stream.end_body(LAST_CHUNK)

    async def flush(self) -> None:
        async with self._sending:
            while self._unsent:
                self._stream.check_writable()
                block = self._unsent[0]
                accepted_bytes = self._stream.send_now(block)
                if accepted_bytes == len(block):
                    self._unsent.popleft()
                else:
                    self._unsent[0] = block[accepted_bytes:]
                    await self._stream.wait_until_writable()


async def close_body(body: object) -> None:
    """Closes the body, if it is of a kind that can be closed."""
    if (aclose := getattr(body, "aclose", None)) is not None:
        await run_guarded("closing the body", aclose)
    # A generator that a thread still runs cannot be closed; it is closed with its last reference.
    elif hasattr(body, "close") and not getattr(body, "gi_running", False):
        await run_guarded("closing the body", lambda: asyncio.to_thread(body.close))


class Iteration(AsyncIterable[T]):
    """One pass over a body. Closing it closes the iterator, where that is not the body itself."""

    def __init__(self, body: AsyncIterable[T] | Iterable[T]) -> None:
        self._body = body
        self._members: AsyncIterator[T] | None = None

    def __aiter__(self) -> AsyncIterator[T]:
        body = self._body
        self._members = aiter(body) if isinstance(body, AsyncIterable) else _ThreadedIterator(body)
        return self._members

    async def aclose(self) -> None:
        members, self._members = self._members, None
        if members is not None and members is not self._body:
            await close_body(members)


class _ThreadedIterator(AsyncIterator[T]):
    """An iterable's members, each made on a thread that no other call waits for. Not an async
    generator: the event loop closes one that was not run to its end later, in a task of its own."""

    def __init__(self, iterable: Iterable[T]) -> None:
        self._iterable = iterable
        self._members = iter(iterable)
        self._threads = DaemonThreads("body")

    async def __anext__(self) -> T:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        member: Any = await loop.run_in_executor(
            self._threads, lambda: context.run(next, self._members, _END)
        )
        if member is _END:
            self._threads.shutdown()
            raise StopAsyncIteration
        return cast("T", member)

    async def aclose(self) -> None:
        self._threads.shutdown()
        if self._members is not self._iterable:
            await close_body(self._members)


def _resolve(writable: asyncio.Future[None]) -> None:
    if not writable.done():
        writable.set_result(None)
