"""Server-Sent Events as an answer: heartbeats, and an end before anything cuts the stream.

    return EventStream(tokens(prompt))

A browser's EventSource reconnects after every end but one that its page asked for, so an end is
announced: `event: end` with `reason` and, in `retry:`, when to come back.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias, cast

from lambda_streaming.responses import (
    Headers,
    StreamingResponse,
    StreamOutcome,
    Write,
    header_pairs,
)
from lambda_streaming.runtime.errors import ConnectionLostError
from lambda_streaming.runtime.invocation import margin_before
from lambda_streaming.runtime.response_stream import Iteration, close_body
from lambda_streaming.sse import encode_comment, encode_event, to_json

CONTENT_TYPE = "text/event-stream"
_HEADERS = {
    "content-type": f"{CONTENT_TYPE}; charset=utf-8",
    # A proxy that compresses or collects holds events back.
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
_RETRY_MS = (200, 1_000)
_ERROR_RETRY_MS = (1_000, 5_000)


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event. Data that is no text is sent as JSON.

    `event` is the name that a client listens to, by default `message`. `id` comes back in the
    Last-Event-ID of a client that reconnects (`Request.last_event_id`). `retry_ms` is how long the
    client waits before that, from now on.
    """

    data: Any = ""
    event: str = ""
    id: str | int | None = None
    retry_ms: int | None = None


Event: TypeAlias = ServerSentEvent | Mapping[str, Any] | str
"""A ServerSentEvent; or a mapping, sent as JSON, or a str, both under the name that listeners get
by default, `message`."""

OnEnd: TypeAlias = Callable[[str], Awaitable[None] | None]
"""A function of the reason, async or not."""


@dataclass(frozen=True, slots=True)
class EventStream:
    """Events, from an iterable that is asynchronous or not, as a text/event-stream answer. An event
    is a ServerSentEvent, a mapping (sent as JSON) or text.

    A comment is sent at once, so that EventSource opens, and another one after `heartbeat_seconds`
    without an event. `retry_ms` is how long the client waits before it comes back from a cut; its
    own default is a few seconds. The stream ends with its events; or, when it has lasted for the
    handler's `max_stream_seconds` or the invocation's deadline is near, with an event `end`.

    `on_end` is called once when the stream is over, with the reason: `completed` (the events
    ended), `rotate`, `deadline`, `error` (the events raised), `lost`, `stalled` (the client takes
    nothing), `closed` (its page asked for it), `shutdown`. That a client merely left is not among
    them: Lambda does not tell.

    `headers` are added to those of an event stream, and win over them.
    """

    events: AsyncIterable[Event] | Iterable[Event] = field(repr=False)
    heartbeat_seconds: float = 15.0
    retry_ms: int | None = None
    on_end: OnEnd | None = field(default=None, repr=False)
    headers: Headers | None = None

    def __post_init__(self) -> None:
        if isinstance(self.events, str | bytes | Mapping):
            raise TypeError("the events of an EventStream are an iterable of them, not one event")
        if not self.heartbeat_seconds > 0:
            raise ValueError(f"heartbeat_seconds must be above 0, not {self.heartbeat_seconds!r}")


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a stream may last. `deadline` is the invocation's, on the event loop's clock."""

    max_stream_seconds: float
    deadline: float | None = None
    margin_seconds: float = 2.0

    def end(self, now: float) -> tuple[float, str]:
        """When, on the event loop's clock, and for which reason."""
        rotates_at = now + self.max_stream_seconds
        if self.deadline is not None:
            last_call = self.deadline - margin_before(self.deadline, now, self.margin_seconds)
            if last_call < rotates_at:
                return last_call, "deadline"
        return rotates_at, "rotate"


def event_stream_response(
    stream: EventStream, lifetime: Lifetime, *, stall_seconds: float, random: Random
) -> StreamingResponse:
    """The answer that delivers the events."""
    body = EventStreamBody(stream, lifetime, random)
    given = list(header_pairs(stream.headers))
    own = {name.lower() for name, _ in given if isinstance(name, str)}
    headers = [(name, value) for name, value in _HEADERS.items() if name not in own]
    retry = "" if stream.retry_ms is None else f"retry: {stream.retry_ms}\n"
    return StreamingResponse(
        body,
        headers=[*headers, *given],
        finish=body.finish,
        stall_seconds=stall_seconds,
        write_deadline=lifetime.deadline,
        opening=encode_comment("open") + retry.encode(),
    )


def encoded_event(event: object) -> bytes:
    """Raises InvalidEvent for what no event stream can carry, TypeError for what is no event."""
    match event:
        case ServerSentEvent():
            data = event.data if isinstance(event.data, str | bytes) else to_json(event.data)
            return encode_event(data, event=event.event, event_id=event.id, retry_ms=event.retry_ms)
        case str():
            return encode_event(event)
        case Mapping():
            return encode_event(to_json(event))
    kind = type(event).__name__
    raise TypeError(f"an event is a ServerSentEvent, a mapping or a str, not {kind}")


class EventStreamBody:
    """The body as an async function: takes events and writes them."""

    def __init__(self, stream: EventStream, lifetime: Lifetime, random: Random) -> None:
        self._stream = stream
        self._lifetime = lifetime
        self._random = random
        self._reason = "completed"
        self._is_over = False
        self._is_closed = False
        self._interruptions = 0
        self._waiting: asyncio.Task[None] | None = None
        """The task that waits for an event, and that may be interrupted there: never in a write,
        which would leave half a block on the wire."""

    async def __call__(self, write: Write) -> None:
        loop = asyncio.get_running_loop()
        ends_at, reason = self._lifetime.end(loop.time())
        timer = loop.call_at(ends_at, self._end_now)
        heartbeats = _Heartbeats(write, self._stream.heartbeat_seconds)
        try:
            if await self._deliver(write, heartbeats):
                await write(self._end_event(reason, _RETRY_MS))
        except (asyncio.CancelledError, ConnectionLostError):
            heartbeats.cancel()  # the connection is not used again
            raise
        except Exception:
            with suppress(ConnectionLostError):
                await write(self._end_event("error", _ERROR_RETRY_MS))
            raise
        finally:
            timer.cancel()
            await heartbeats.end()

    async def finish(self, outcome: StreamOutcome, error: BaseException | None) -> None:
        match outcome:
            case StreamOutcome.COMPLETED:
                reason = self._reason
            case StreamOutcome.FAILED:
                reason = "error"
            case _:
                reason = outcome.value
        if self._stream.on_end is not None:
            told = self._stream.on_end(reason)
            if inspect.isawaitable(told):
                await told

    async def _deliver(self, write: Write, heartbeats: _Heartbeats) -> bool:
        """Whether the time was up before the events were."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        events = Iteration(self._stream.events)
        try:
            members = aiter(events)
            while not self._is_over:
                self._waiting = task
                try:
                    event = await anext(members)
                except StopAsyncIteration:
                    return self._is_over  # some sources return on their cancellation
                except asyncio.CancelledError:
                    if task.cancelling() > self._interruptions:  # by somebody else
                        raise
                    return True
                finally:
                    self._waiting = None
                    for _ in range(self._interruptions):
                        task.uncancel()
                await write(encoded_event(event))
                heartbeats.wrote()
            return True
        finally:
            await events.aclose()
            await self.aclose()

    async def aclose(self) -> None:
        """Of an answer that was not begun, too."""
        if not self._is_closed:
            self._is_closed = True
            await close_body(self._stream.events)

    def _end_now(self) -> None:
        self._is_over = True
        if self._waiting is not None:
            self._interruptions = 1
            self._waiting.cancel()

    def _end_event(self, reason: str, retry_ms: tuple[int, int]) -> bytes:
        """Clients that began together come back apart."""
        self._reason = reason
        pause_ms = self._random.randint(*retry_ms)
        data = to_json({"reason": reason, "retry_ms": pause_ms})
        return encode_event(data, event="end", retry_ms=pause_ms)


class _Heartbeats:
    """Writes a comment whenever nothing was written for a while. Begins at once."""

    def __init__(self, write: Write, every_seconds: float) -> None:
        self._write = write
        self._every_seconds = every_seconds
        self._loop = asyncio.get_running_loop()
        self._wrote_at = self._loop.time()
        self._is_writing = False
        self._is_over = False
        self._task = self._loop.create_task(self._beat())

    def wrote(self) -> None:
        self._wrote_at = self._loop.time()

    def cancel(self) -> None:
        self._is_writing = False
        self._task.cancel()

    async def end(self) -> None:
        """Lets a comment that is half written be written: what follows would stand inside it."""
        if self._is_writing:
            self._is_over = True
            await asyncio.wait((self._task,))
        self._task.cancel()

    async def _beat(self) -> None:
        comment = encode_comment()
        while not self._is_over:
            due_at = self._wrote_at + self._every_seconds
            if (wait_seconds := due_at - self._loop.time()) > 0:
                await asyncio.sleep(wait_seconds)
                continue
            self._is_writing = True
            try:
                await self._write(comment)
            except ConnectionLostError:
                return  # the runtime ends the stream
            finally:
                self._is_writing = False
            self.wrote()
