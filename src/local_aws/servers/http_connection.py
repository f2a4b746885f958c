"""One HTTP/1.1 connection of a server: Runtime API, Function URL, collector.

h11 parses and checks; this class owns the socket. Neither uvicorn nor another ASGI server would
do here: the Runtime API needs request trailers, it and the Function URL need back pressure that
reaches the peer's socket (no byte is read from it until someone wants it), and the collector fails
in the middle of an answer.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from email.utils import formatdate
from typing import Protocol

import h11

Headers = Iterable[tuple[str, str]]

READ_BYTES = 64 * 1024
# Small, so that a peer which stops reading is felt after some hundred KB; the kernel's default
# grows to several MB on loopback.
SOCKET_BUFFER_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 64 * 1024


class PeerClosedError(ConnectionError):
    """The peer closed or reset its connection in the middle of a message."""


class PeerProtocolError(ConnectionError):
    """The peer sent something that is not HTTP/1.1."""


class AnswerObserver(Protocol):
    """Is told what of an answer goes to the peer."""

    def began(self, status: int, *, is_streamed: bool) -> None:
        """The head; `is_streamed`: the body comes in chunks, without a length before it."""

    def sent(self, body_bytes: int) -> None: ...


class HttpConnection:
    """`observer`, where it is set, is told of the answers from then on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.observer: AnswerObserver | None = None
        self._reader = reader
        self._writer = writer
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._answers_head = False
        self.trailers: dict[str, str] = {}

    @property
    def peer_address(self) -> str:
        return str(self._writer.get_extra_info("peername")[0])

    @property
    def peer_port(self) -> int:
        return int(self._writer.get_extra_info("peername")[1])

    @property
    def answer_is_complete(self) -> bool:
        return self._h11.our_state in (h11.DONE, h11.MUST_CLOSE)

    @property
    def request_is_complete(self) -> bool:
        return self._h11.their_state is h11.DONE

    async def next_request(self) -> h11.Request | None:
        """The next request's head; None when the peer has closed between two requests.

        Raises PeerClosedError, PeerProtocolError.
        """
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        elif self._h11.our_state is not h11.IDLE:
            return None
        self.trailers = {}
        event = await self._next_event()
        if isinstance(event, h11.ConnectionClosed):
            return None
        assert isinstance(event, h11.Request)
        self._answers_head = event.method == b"HEAD"
        return event

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body as it arrives; fills `trailers` at its end.

        Reads from the socket only when asked for more. Raises PeerClosedError.
        """
        if self._h11.they_are_waiting_for_100_continue:
            await self.send(h11.InformationalResponse(status_code=100, headers=[]))
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self.trailers = {k.decode().lower(): v.decode("latin-1") for k, v in event.headers}
                return
            else:
                raise PeerClosedError("the connection was closed in the middle of a body")

    async def read_body(self, *, max_bytes: int) -> bytes | None:
        """The whole body, or None when it is longer than `max_bytes`."""
        collected = bytearray()
        async for chunk in self.body():
            collected += chunk
            if len(collected) > max_bytes:
                return None
        return bytes(collected)

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Sends a whole answer with its Content-Length. Raises PeerClosedError."""
        await self.write(self.encode_response(status, headers, body))

    def encode_response(self, status: int, headers: Headers, body: bytes) -> bytes:
        """The bytes of a whole answer with its Content-Length, which the caller writes.

        An answer to HEAD names the length and has no body (RFC 9110, section 9.3.2).
        """
        head = _response_head(status, [*headers, ("Content-Length", str(len(body)))])
        if self._answers_head:
            body = b""
        encoded = b"".join(
            self._h11.send(event) or b""
            for event in (head, h11.Data(data=body), h11.EndOfMessage())
        )
        if self.observer is not None:
            self.observer.began(status, is_streamed=False)
            self.observer.sent(len(body))
        return encoded

    async def start_response(self, status: int, headers: Headers) -> None:
        """Raises h11.LocalProtocolError or UnicodeEncodeError for headers that HTTP forbids."""
        await self.send(_response_head(status, headers))

    async def send(self, event: h11.Event) -> None:
        """Raises PeerClosedError."""
        encoded = self._h11.send(event) or b""
        if isinstance(event, h11.Response) and self.observer is not None:
            names = {bytes(name).lower() for name, _ in event.headers}
            is_streamed = b"transfer-encoding" in names
            self.observer.began(event.status_code, is_streamed=is_streamed)
        await self.write(encoded)
        if isinstance(event, h11.Data) and self.observer is not None:
            self.observer.sent(len(event.data))

    async def write(self, data: bytes) -> None:
        """Writes, and waits while the peer does not read. Raises PeerClosedError."""
        if self._writer.transport.is_closing():
            raise PeerClosedError("the connection is closed")
        try:
            if data:
                self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise PeerClosedError(str(error)) from error

    async def peer_closes(self) -> None:
        """Waits until the peer closes. What it sends meanwhile is kept for the next request."""
        try:
            while data := await self._reader.read(READ_BYTES):
                self._h11.receive_data(data)
        except OSError:
            pass

    async def skip_body(self, *, max_bytes: int) -> bool:
        """Discards the rest of a body, as Go's server does; False if it is too long."""
        try:
            return self.request_is_complete or await self.read_body(max_bytes=max_bytes) is not None
        except ConnectionError:
            return False

    def reset(self) -> None:
        """See reset_connection."""
        reset_connection(self._writer)

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            pass

    async def _next_event(self) -> h11.Event:
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                # h11 reports a connection that ends inside a body in the same way.
                if self._reader.at_eof():
                    raise PeerClosedError(str(error)) from error
                raise PeerProtocolError(str(error)) from error
            if event is h11.NEED_DATA:
                try:
                    self._h11.receive_data(await self._reader.read(READ_BYTES))
                except OSError as error:
                    raise PeerClosedError(str(error)) from error
            elif event is h11.PAUSED:
                raise PeerProtocolError("a second request before the first was answered")
            else:
                assert not isinstance(event, type)
                return event


def _response_head(status: int, headers: Headers) -> h11.Response:
    headers = [*headers, ("Date", formatdate(usegmt=True))]
    return h11.Response(
        status_code=status,
        headers=[(k.encode("ascii"), v.encode("latin-1")) for k, v in headers],
    )


def reset_connection(writer: asyncio.StreamWriter) -> None:
    """Closes at once, with a reset: the peer cannot take what it got for a whole answer."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass  # closed already
    writer.transport.abort()


def bound_socket(port: int) -> socket.socket:
    """A loopback socket that will listen, with small buffers, which its connections inherit.

    Until a server listens on it, connections are refused. Raises OSError when the port is taken.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
