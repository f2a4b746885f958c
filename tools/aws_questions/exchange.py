"""One HTTP exchange, seen as closely as questions need: when which bytes came, how it ended."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tools.open_stream import Sign

COMPLETE, BROKEN, SILENT = "complete", "broken off", "silent"
_BLOCK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Seen:
    """`status` is None where no head came. `pieces` are (seconds since the request, bytes)."""

    status: int | None
    fields: tuple[tuple[str, str], ...]
    pieces: tuple[tuple[float, bytes], ...]
    end: str

    @property
    def body(self) -> bytes:
        return b"".join(piece for _, piece in self.pieces)

    def values(self, name: str) -> list[str]:
        return [value for field, value in self.fields if field == name]

    @property
    def document(self) -> dict[str, Any]:
        """The body's JSON object; empty where it has none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class _ExactResponse(http.client.HTTPResponse):
    """Takes no byte from the connection that is not the answer's: what a door sends behind an
    answer would be lost with a buffer, and the next answer look whole."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = sock.makefile("rb", 1)


class Client:
    """Asks below one base address."""

    def __init__(self, base: str, sign: Sign) -> None:
        self._base = base.rstrip("/")
        self._sign = sign

    def ask(
        self,
        path: str,
        *,
        patience_seconds: float,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> Seen:
        """On a connection of its own."""
        with self.connection(patience_seconds) as connection:
            return self.ask_on(connection, path, method=method, headers=headers)

    @contextmanager
    def connection(self, patience_seconds: float) -> Iterator[http.client.HTTPConnection]:
        parts = urlsplit(self._base)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(parts.netloc, timeout=patience_seconds)
        connection.response_class = _ExactResponse
        try:
            yield connection
        finally:
            connection.close()

    def ask_on(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
    ) -> Seen:
        """On a connection that is kept. Raises OSError where it cannot be made."""
        url = self._base + path
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if connection.sock is None:
            connection.connect()
        started = time.monotonic()
        try:
            connection.request(
                method, target, headers={**self._sign(method, url), **(headers or {})}
            )
            response = connection.getresponse()
        except TimeoutError:
            return Seen(None, (), (), SILENT)
        except (OSError, http.client.HTTPException):
            return Seen(None, (), (), BROKEN)
        fields = tuple((name.lower(), value) for name, value in response.getheaders())
        pieces: list[tuple[float, bytes]] = []
        end = COMPLETE
        try:
            while piece := response.read1(_BLOCK_BYTES):
                pieces.append((time.monotonic() - started, piece))
            response.read()  # so that http.client takes the answer for read, also one without body
        except TimeoutError:
            end = SILENT
        except (OSError, http.client.HTTPException):
            end = BROKEN
        return Seen(response.status, fields, tuple(pieces), end)
