"""The network between one client and the Function URL, which can break, or be a refusing Lambda."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from urllib.parse import urlsplit

from local_aws.servers.connection_server import ConnectionServer
from local_aws.servers.http_connection import bound_socket, reset_connection
from local_aws.servers.loop_thread import LoopThread


class Relay:
    """A context manager. `url` stands for the upstream's; everything may be called anywhere."""

    def __init__(self, upstream_url: str) -> None:
        parts = urlsplit(upstream_url)
        self._upstream = parts.hostname, parts.port
        self._loop = LoopThread("relay")
        self._server = ConnectionServer(self._serve)
        self._clients: set[asyncio.StreamWriter] = set()
        self._answers: deque[bytes] = deque()
        self._cuts_inside: bytes | None = None
        self.connections = 0
        self.url = ""

    def __enter__(self) -> Relay:
        self._loop.__enter__()
        self._loop.call(self._server.start(bound_socket(0)))
        self.url = f"http://127.0.0.1:{self._server.port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call(self._server.stop())
        self._loop.__exit__(kind, error, traceback)

    def cut(self) -> None:
        """Reset every connection."""
        self._loop.call(self._reset())

    def cut_inside_next(self, event: str) -> None:
        """End a connection properly in the middle of the data of such a block."""
        self._cuts_inside = f"event: {event}\n".encode()

    def answer_next(self, *answers: bytes) -> None:
        """The next requests on new connections get these bytes instead of the upstream."""
        self._answers.extend(answers)

    async def _reset(self) -> None:
        for writer in self._clients:
            reset_connection(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if self._answers:
                writer.write(self._answers.popleft())
                await writer.drain()
            else:
                await self._pass(head, reader, writer)
            writer.close()
            await writer.wait_closed()  # what was passed on last goes out first
        except (OSError, EOFError):
            pass  # one side has gone
        finally:
            self._clients.discard(writer)

    async def _pass(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
        upstream_writer.write(head)
        try:
            directions = [
                asyncio.ensure_future(_copy(reader, upstream_writer)),
                asyncio.ensure_future(self._copy_stream(upstream_reader, writer)),
            ]
            try:
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for direction in directions:
                    direction.cancel()
                await asyncio.gather(*directions, return_exceptions=True)
        finally:
            upstream_writer.close()

    async def _copy_stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            if self._cuts_inside is not None:
                block = data.find(self._cuts_inside)
                inside = data.find(b"data: ", max(block, 0))
                if block >= 0 and inside >= 0:
                    self._cuts_inside = None
                    writer.write(data[: inside + len(b"data: {")])
                    return
            writer.write(data)
            await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
