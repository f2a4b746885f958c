"""A client of a front door that gives an answer's chunks as they were sent.

HTTP client libraries give the body's bytes in whatever pieces they read; here the chunk is the unit
that somebody looks at, and its time is the point.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h11

from local_aws.console.sending.form import OutgoingRequest

_READ_BYTES = 64 * 1024
_METHODS_WITH_A_BODY = ("POST", "PUT", "PATCH")
_LONGEST_PIECE_BYTES = 256 * 1024


class BrokenAnswerError(ConnectionError):
    """The door closed in the middle of an answer, or sent something that is no HTTP."""


class DoorClient:
    """One connection with one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._h11 = h11.Connection(h11.CLIENT)

    @property
    def client_port(self) -> int:
        return int(self._writer.get_extra_info("sockname")[1])

    async def send(self, request: OutgoingRequest) -> None:
        """Raises OSError."""
        host, port = self._writer.get_extra_info("peername")[:2]
        headers = [("Host", f"{host}:{port}"), *request.headers]
        if request.body or request.method in _METHODS_WITH_A_BODY:
            headers.append(("Content-Length", str(len(request.body))))
        encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
        for event in (
            h11.Request(method=request.method, target=request.target, headers=encoded),
            h11.Data(data=request.body),
            h11.EndOfMessage(),
        ):
            self._writer.write(self._h11.send(event) or b"")
        await self._writer.drain()

    async def head(self) -> h11.Response:
        """Raises BrokenAnswerError, OSError."""
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise BrokenAnswerError("the door closed the connection without an answer")

    async def chunks(self, head: h11.Response) -> AsyncIterator[bytes]:
        """Each chunk, however many reads it took; without chunks, what each read brought.

        Raises BrokenAnswerError, OSError.
        """
        is_chunked = any(bytes(name) == b"transfer-encoding" for name, _ in head.headers)
        chunk = bytearray()
        while True:
            event = await self._next_event()
            if isinstance(event, h11.EndOfMessage):
                return
            if not isinstance(event, h11.Data):
                raise BrokenAnswerError("the connection was closed in the middle of the answer")
            chunk += event.data
            if event.chunk_end or not is_chunked or len(chunk) >= _LONGEST_PIECE_BYTES:
                yield bytes(chunk)
                chunk.clear()

    async def _next_event(self) -> h11.Event:
        while True:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                if self._reader.at_eof():
                    raise BrokenAnswerError(
                        "the connection was closed in the middle of the answer"
                    ) from error
                raise BrokenAnswerError(f"the answer is no HTTP: {error}") from error
            if event is h11.NEED_DATA:
                self._h11.receive_data(await self._reader.read(_READ_BYTES))
            else:
                assert isinstance(event, h11.Event)
                return event


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[DoorClient]:
    """Raises OSError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield DoorClient(reader, writer)
    finally:
        writer.close()
