"""HTTP/1.1 messages as the bytes they arrived in, for a proxy that forwards them untouched.

A parser such as h11 gives a message's meaning; forwarding that would rewrite the bytes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawMessage:
    """`head` ends with its blank line; `body` is as framed on the wire."""

    head: bytes
    body: bytes

    @property
    def first_line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    def header(self, name: str) -> str | None:
        """The last header of that name (given in lower case)."""
        found = None
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower().decode("latin-1") == name:
                found = value.strip().decode("latin-1")
        return found

    @property
    def closes_connection(self) -> bool:
        said = (self.header("connection") or "").lower()
        return said == "close" or (" HTTP/1.0" in f" {self.first_line}" and said != "keep-alive")

    def with_body(self, body: bytes) -> RawMessage:
        """The same message with another body; a checksum of the old one is left out."""
        lines = [
            line
            for line in self.head.split(b"\r\n")[:-2]
            if not line.lower().startswith(
                (b"content-length:", b"transfer-encoding:", b"x-amz-crc32:")
            )
        ]
        lines.append(b"Content-Length: %d" % len(body))
        return RawMessage(b"\r\n".join(lines) + b"\r\n\r\n", body)


async def read_message(reader: asyncio.StreamReader, *, is_response: bool) -> RawMessage | None:
    """The next message; None when the peer closed before one began.

    Raises asyncio.IncompleteReadError (an EOFError) when it closed in the middle of one.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    message = RawMessage(head, b"")
    length = message.header("content-length")
    if length is not None:
        body = await reader.readexactly(int(length))
    elif (message.header("transfer-encoding") or "").lower() == "chunked":
        body = await _chunked(reader)
    elif is_response and message.closes_connection:
        body = await reader.read()
    else:
        body = b""
    return RawMessage(head, body)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while True:
        line = await reader.readline()
        size = int(line.split(b";")[0], 16)
        parts += [line, await reader.readexactly(size + 2)]
        if size == 0:
            return b"".join(parts)
