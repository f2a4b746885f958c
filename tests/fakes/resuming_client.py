"""A client over a bare socket that comes back as an EventSource does, and can be cut anywhere."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from random import Random
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.ledger import Ledger

OnEvent = Callable[[str, Mapping[str, Any]], None]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_SILENCE_SECONDS = 30.0


class ResumingClient:
    """Keeps the last id and presents it; waits what `retry` says, though at most `longest_wait`.

    After Lambda's own refusals (429, 502) it tries again, as a wrapper around EventSource does.
    """

    def __init__(
        self,
        url: str,
        path: str,
        ledger: Ledger,
        *,
        random: Random,
        longest_wait_seconds: float,
        on_event: OnEvent = lambda name, data: None,
    ) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        self._path = path
        self._random = random
        self._longest_wait_seconds = longest_wait_seconds
        self._on_event = on_event
        self._writer: asyncio.StreamWriter | None = None
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._retry_seconds = 0.3
        self.ledger = ledger
        self.last_id = ""
        self.connection_id: str | None = None
        self.was_ready = asyncio.Event()
        self.refusals = 0

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._connect_once()
                wait = min(self._retry_seconds, self._longest_wait_seconds)
                await asyncio.sleep(wait * self._random.uniform(0.5, 1.0))
        finally:
            self.cut()

    def cut(self) -> None:
        """Reset the connection, as a network does that fails."""
        if self._writer is not None:
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._writer.transport.abort()

    def half_close(self) -> None:
        """Say that nothing more will be sent, and go on listening."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write_eof()

    async def stop_reading_for(self, seconds: float) -> None:
        self._may_read.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._may_read.set()

    async def _connect_once(self) -> None:
        self.ledger.connected()
        self.connection_id = None
        try:
            reader, self._writer = await asyncio.open_connection(*self._address)
            try:
                await self._exchange(reader, self._writer)
            finally:
                self._writer.close()
                self._writer = None
        except (OSError, EOFError, TimeoutError):
            pass  # cut, by whomever
        self.ledger.disconnected()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        resume = f"last-event-id: {self.last_id}\r\n" if self.last_id else ""
        writer.write(
            f"GET {self._path} HTTP/1.1\r\nhost: localhost\r\n"
            f"accept: text/event-stream\r\n{resume}\r\n".encode()
        )
        # Not wait_for: until Python 3.12 it forgets a cancellation that comes with the result
        # (https://github.com/python/cpython/issues/86296), and this client would run for ever.
        async with asyncio.timeout(_SILENCE_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status != 200:
            self.refusals += 1
            if status not in (429, 502):
                self.ledger.problems.append(f"status {status}")
            return
        block: dict[str, str] = {}
        async for line in self._lines(reader):
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                block[name] = value
            elif block:
                self._take(block)
                block = {}
        if block:
            self.ledger.problems.append(f"the body ended inside a block: {block}")

    async def _lines(self, reader: asyncio.StreamReader) -> AsyncIterator[str]:
        """Lines of a chunked body. Raises EOFError when it breaks off."""
        rest = b""
        while True:
            await self._may_read.wait()
            async with asyncio.timeout(_SILENCE_SECONDS):
                size = int(await reader.readuntil(b"\r\n"), 16)
                chunk = (await reader.readexactly(size + 2))[:-2]
            if not size:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode()

    def _take(self, block: dict[str, str]) -> None:
        data = json.loads(block["data"])
        self.last_id = block["id"]
        if "retry" in block:
            self._retry_seconds = int(block["retry"]) / 1000
        if block["event"] == "ready":
            self.connection_id = data["connection_id"]
            self.was_ready.set()
        self.ledger.take(block["event"], block["id"], data)
        self._on_event(block["event"], data)
