"""`receive` and `send` of one request (https://asgi.readthedocs.io/en/latest/specs/www.html).

`http.response.start` is held until the first message of the body, so that what fails in between is
still a 500, but for 250 ms at most: an app that waits for its first token has its headers out. The
first message of the body is one write with the head; each that follows is one of its own, made in
the task that sends it, which goes on when the socket has taken it. There is no buffer.

Nobody tells Lambda that a client left. `http.disconnect` and the OSError of `send` come when the
end is known here: the socket is lost or stalls, the deadline is near, SIGTERM came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from lambda_streaming.bridge.observer import EndReason, Observer, told
from lambda_streaming.bridge.types import Message
from lambda_streaming.responses import StreamOutcome, Write
from lambda_streaming.runtime.errors import ConnectionLostError
from lambda_streaming.runtime.framing import check_head

HOLD_HEAD_SECONDS = 0.25
_MAX_OPENING_BYTES = 64 * 1024
"""A larger block could fill the socket, and is watched like every other."""

_BODILESS = frozenset({204, 304})


class ClientDisconnected(OSError):
    """The answer is over before the app ended it; ASGI's sign for that is an OSError."""

    def __init__(self, reason: EndReason) -> None:
        super().__init__(f"the answer is over: {reason.value}")


@dataclass(frozen=True, slots=True)
class Head:
    """What `http.response.start` said."""

    status: int
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[str, ...]

    @classmethod
    def of(cls, message: Message) -> Head:
        """Raises ValueError or TypeError, with the header's name, for what cannot be sent."""
        headers: list[tuple[str, str]] = []
        cookies: list[str] = []
        for name, value in message.get("headers", ()):
            text = _text(name, "a header's name")
            if text.lower() == "set-cookie":
                cookies.append(_text(value, "Set-Cookie"))
            else:
                headers.append((text, _text(value, f"header {text}")))
        head = cls(message["status"], tuple(headers), tuple(cookies))
        check_head(head.status, head.headers, head.cookies)
        return head

    def first(self, name: str) -> str | None:
        return next((value for one, value in self.headers if one.lower() == name), None)

    @property
    def content_length(self) -> int | None:
        """None where the app said none that is a number."""
        value = self.first("content-length") or ""
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None

    @property
    def is_event_stream(self) -> bool:
        media_type = (self.first("content-type") or "").partition(";")[0]
        return media_type.strip().lower() == "text/event-stream"


def _text(octets: object, what: str) -> str:
    if not isinstance(octets, bytes | bytearray | memoryview):
        raise TypeError(f"{what} must be bytes, not {type(octets).__name__}")
    return bytes(octets).decode("latin-1")


class Cycle:
    """`changed` is called when there is something new for who answers: `is_head_due`,
    `is_complete`, `end_reason`."""

    def __init__(
        self, method: str, body: bytes, *, observer: Observer, changed: Callable[[], None]
    ) -> None:
        self._is_head_request = method == "HEAD"
        self._request_body: bytes | None = body
        self._observer = observer
        self._changed = changed
        self._write: Write | None = None
        self._collector: _Collector | None = None
        self._hold: asyncio.TimerHandle | None = None
        self._may_send = asyncio.Event()
        self._delivered = asyncio.Event()
        self._over = asyncio.Event()
        self._body_over = False
        self._has_ended = False
        self.head: Head | None = None
        self.is_head_due = False
        """The answer is to begin."""
        self._opening = b""
        self._opening_is_taken = False
        self.whole_body: bytes | None = None
        """All of it, where it is known before a byte of it was sent."""
        self.is_complete = False
        """The app sent the end of the body, and it was taken."""
        self.end_reason: EndReason | None = None
        """Why the answer was over before that."""
        self.lost: ConnectionLostError | None = None
        self.body_bytes = 0
        self.chunks = 0

    # What the app calls

    async def receive(self) -> Message:
        body, self._request_body = self._request_body, None
        if body is None or self._over.is_set():
            await self._over.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        write = self._write
        if write is None or message["type"] != "http.response.body":
            await self._send_otherwise(message)
            return
        body = message.get("body", b"")
        if type(body) is not bytes:
            body = _copied(body)
        try:
            await write(body)
            if body:
                self.body_bytes += len(body)
                self.chunks += 1
                if self.chunks == 1 and self._collector is None and self.end_reason is None:
                    told("first_byte", self._observer.first_byte)
            if not message.get("more_body", False):
                if self.end_reason is not None:
                    raise ClientDisconnected(self.end_reason)
                self._has_ended = True
                self._write = None
                await write.end()
                self._complete()
        except ConnectionLostError as error:
            self.lost = error
            self.disconnect(EndReason((write.stopped_by or StreamOutcome.LOST).value))
            raise ClientDisconnected(self.end_reason or EndReason.LOST) from error

    async def _send_otherwise(self, message: Message) -> None:
        """Anything but a block of a body that is being streamed."""
        kind = message["type"]
        if self.end_reason is not None:
            raise ClientDisconnected(self.end_reason)
        if self._has_ended:
            raise RuntimeError(
                f"Unexpected ASGI message '{kind}' sent, after response already completed."
            )
        if self.head is None:
            if kind != "http.response.start":
                raise RuntimeError(
                    f"Expected ASGI message 'http.response.start', but got '{kind}'."
                )
            self.head = Head.of(message)
            loop = asyncio.get_running_loop()
            self._hold = loop.call_later(HOLD_HEAD_SECONDS, self._release_head)
            return
        if kind != "http.response.body":
            raise RuntimeError(f"Expected ASGI message 'http.response.body', but got '{kind}'.")
        has_more = message.get("more_body", False)
        if self.is_bodiless or not (has_more or self.is_head_due):
            await self._send_whole(b"" if self.is_bodiless else message.get("body", b""), has_more)
            return
        is_first = not self.is_head_due
        if is_first:
            self._opening = _opening(message.get("body", b""))
        self._release_head()
        if self._write is None:
            await self._may_send.wait()
        if is_first and self._opening_is_taken and self.end_reason is None:
            self._count_first(self._opening)  # the head's write has sent it
            self._opening = b""
            return
        # Streamed, or over meanwhile.
        await self.send(message)

    def _count_first(self, block: bytes) -> None:
        self.body_bytes, self.chunks = len(block), 1
        told("first_byte", self._observer.first_byte)

    async def _send_whole(self, body: bytes | bytearray | memoryview, has_more: bool) -> None:
        """Returns when it was delivered: what the app does afterwards keeps no client waiting."""
        self._has_ended = not has_more
        self.whole_body = body if type(body) is bytes else _copied(body)
        self._release_head()
        self._changed()
        await self._delivered.wait()
        if self.end_reason is not None:
            raise ClientDisconnected(self.end_reason)
        if has_more:  # of a body that nobody gets; its producer may know no pause
            await asyncio.sleep(0)

    # What the adapter calls

    @property
    def is_over(self) -> bool:
        return self.is_complete or self.end_reason is not None

    @property
    def has_ended(self) -> bool:
        """Whether the app sent its last message."""
        return self._has_ended

    @property
    def is_bodiless(self) -> bool:
        """Whether the answer has no body, whatever the app sends."""
        return self._is_head_request or (self.head is not None and self.head.status in _BODILESS)

    def take_opening(self) -> bytes:
        """The first message's block, which is to be sent with the head."""
        self._opening_is_taken = bool(self._opening)
        return self._opening

    def stream(self, write: Write) -> None:
        """The head was sent: the app's messages go on to `write`."""
        if self.end_reason is None:
            self._write = write
            self._may_send.set()

    def collect(self, limit_bytes: int) -> None:
        """The app's messages become `whole_body`; more than this ends the answer."""
        self._collector = _Collector(self, limit_bytes)
        self.stream(self._collector)

    def cut_off(self, reason: EndReason) -> None:
        """What was collected until now is the answer."""
        if self._collector is not None:
            self.whole_body = bytes(self._collector.body)
        self.disconnect(reason)

    async def collected(self, body: bytes) -> None:
        """Returns when it was delivered, like the end of any body."""
        await self._send_whole(body, has_more=False)

    def delivered(self, outcome: StreamOutcome) -> None:
        """The whole answer was, or could not be."""
        if self.end_reason is None:
            body = self.whole_body or b""
            if outcome is StreamOutcome.COMPLETED and body:
                self._count_first(body)
            self._complete()

    def disconnect(self, reason: EndReason) -> None:
        """The answer is over before the app ended it."""
        if self.end_reason is None and not self.is_complete:
            self.end_reason = reason
            self._end()

    def release(self) -> None:
        """Nothing follows."""
        self._changed = _nothing
        self.lost = self._write = self._collector = None

    def _complete(self) -> None:
        if self.end_reason is None:
            self.is_complete = True
            self._end()

    def _end(self) -> None:
        self._write = None
        if self._hold is not None:
            self._hold.cancel()
        if not self._body_over:
            self._body_over = True
            told("body_ended", self._tell_end_of_body)
        self._may_send.set()
        self._delivered.set()
        self._over.set()
        self._changed()

    def _tell_end_of_body(self) -> None:
        self._observer.body_ended(self.body_bytes, self.chunks, self.is_complete)

    def _release_head(self) -> None:
        if self._hold is not None:
            self._hold.cancel()
        if not self.is_head_due:
            self.is_head_due = True
            self._changed()


class _Collector:
    """The `Write` of an answer that cannot be streamed."""

    stopped_by = None

    def __init__(self, cycle: Cycle, limit_bytes: int) -> None:
        self._cycle = cycle
        self._limit_bytes = limit_bytes
        self.body = bytearray()

    async def __call__(self, block: bytes | str) -> None:
        assert isinstance(block, bytes)
        if len(self.body) + len(block) > self._limit_bytes:
            self._cycle.disconnect(EndReason.TOO_LARGE)
            raise ConnectionLostError("the body is larger than a buffered answer may be")
        self.body += block
        await asyncio.sleep(0)  # an app that always has something to send lets the others run

    async def end(self) -> None:
        await self._cycle.collected(bytes(self.body))


def is_disconnect(error: BaseException) -> bool:
    """Whether an app failed because it learnt from `send` that its answer is over."""
    seen: set[int] = set()
    found: list[BaseException | None] = [error]
    while found:
        one = found.pop()
        if one is None or id(one) in seen:
            continue
        if isinstance(one, ClientDisconnected):
            return True
        seen.add(id(one))
        found += one.__cause__, one.__context__
        if isinstance(one, BaseExceptionGroup):
            found += one.exceptions
    return False


def _nothing() -> None:
    pass


def _opening(body: object) -> bytes:
    return body if type(body) is bytes and len(body) <= _MAX_OPENING_BYTES else b""


def _copied(body: object) -> bytes:
    """Of a buffer that may change when `send` has returned."""
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError(f"the body of an ASGI message must be bytes, not {type(body).__name__}")
    return bytes(body)
