"""A loopback listener that runs one task per connection and can end them all."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


_BACKLOG = 512  # a thousand clients may come at once, and none should wait for a retry


class ConnectionServer:
    """`serve` owns its connection; ConnectionError from it ends that connection only."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_stopped = False
        self.port = 0

    @property
    def connections(self) -> int:
        return len(self._tasks)

    async def start(self, sock: socket.socket) -> None:
        """Listens on a bound socket, which is the server's from now on."""
        self.port = sock.getsockname()[1]
        self._server = await asyncio.start_server(self._accept, sock=sock, backlog=_BACKLOG)

    async def stop_listening(self) -> None:
        if self._server is None:
            return
        for listener in self._server.sockets:
            asyncio.get_running_loop().remove_reader(listener.fileno())
        # asyncio leaks a connection that it has accepted and not yet attached when its server is
        # closed (https://github.com/python/cpython/issues/109564): one turn, and it is attached.
        await asyncio.sleep(0)
        self._server.close()

    async def stop(self) -> None:
        """Stops listening, then cancels what still serves a connection."""
        self._has_stopped = True
        await self.stop_listening()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._has_stopped:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._run(reader, writer))
        self._tasks.add(task)
        # Not in the task itself: one that is cancelled before its first step never runs a line.
        task.add_done_callback(lambda _: writer.transport.abort())
        task.add_done_callback(self._tasks.discard)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except ConnectionError:
            pass  # the peer's doing; nobody is left to tell
