"""Replies of the Runtime API: bytes in, one `Reply` out. No socket and no clock in here."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from lambda_streaming.runtime.errors import MalformedReplyError

_HEAD_LIMIT_BYTES = 256 * 1024
_LINE_LIMIT_BYTES = 16 * 1024
# Events are 6 MiB at most today: ten times that cannot be one.
_BODY_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """`headers` has lower-case names; undecodable bytes of a value survive (surrogateescape)."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    keep_alive: bool


class _State(enum.Enum):
    HEAD = enum.auto()
    SIZED_BODY = enum.auto()
    BODY_TO_END = enum.auto()
    CHUNK_SIZE = enum.auto()
    CHUNK_DATA = enum.auto()
    TRAILERS = enum.auto()
    DONE = enum.auto()


class ReplyParser:
    """Takes the bytes of one reply in any split. Interim (1xx) replies are skipped."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body = bytearray()
        self._state = _State.HEAD
        self._status = 0
        self._headers: dict[str, str] = {}
        self._keep_alive = True
        self._wanted_bytes = 0

    @property
    def begun(self) -> bool:
        """Whether any byte of a reply has come."""
        return bool(self._buffer) or self._state is not _State.HEAD

    def feed(self, data: bytes) -> Reply | None:
        """The reply once it is complete, else None. Raises MalformedReplyError."""
        self._buffer += data
        while self._advance():
            pass
        return self._reply() if self._state is _State.DONE else None

    def end(self) -> Reply | None:
        """The peer closed: the reply, if that is what ends its body, else None."""
        return self._reply() if self._state in (_State.BODY_TO_END, _State.DONE) else None

    def _reply(self) -> Reply:
        # Bytes after a complete reply belong to no request: the connection is not used again.
        keep_alive = self._keep_alive and not self._buffer
        return Reply(self._status, self._headers, bytes(self._body), keep_alive)

    def _advance(self) -> bool:
        """One step; whether another may follow."""
        match self._state:
            case _State.HEAD:
                return self._take_head()
            case _State.CHUNK_SIZE:
                return self._take_chunk_size()
            case _State.CHUNK_DATA:
                return self._take_chunk_data()
            case _State.TRAILERS:
                return self._take_trailer()
            case _State.SIZED_BODY:
                if self._take_data() > 0:
                    return False
                self._state = _State.DONE
            case _State.BODY_TO_END:
                self._wanted_bytes = len(self._buffer)
                self._take_data()
            case _State.DONE:
                pass
        return False

    def _take_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _HEAD_LIMIT_BYTES:
                raise MalformedReplyError("the head of the reply does not end")
            if self._buffer and not b"HTTP/1.".startswith(self._buffer[:7]):
                raise MalformedReplyError("the reply is not HTTP/1.x")
            return False
        lines = bytes(self._buffer[:end]).decode("utf-8", "surrogateescape").split("\r\n")
        del self._buffer[: end + 4]
        version, self._status = _parse_status_line(lines[0])
        self._headers = _parse_fields(lines[1:])
        if 100 <= self._status < 200:
            return True
        self._choose_framing(version)
        return True

    def _choose_framing(self, version: str) -> None:
        connection = self._headers.get("connection", "").lower()
        self._keep_alive = "close" not in connection and (
            version == "HTTP/1.1" or "keep-alive" in connection
        )
        coding = self._headers.get("transfer-encoding")
        length = self._headers.get("content-length")
        if self._status in (204, 304):
            self._state = _State.DONE
        elif coding is not None:
            if coding.strip().lower() != "chunked":
                raise MalformedReplyError("the reply has a transfer coding other than chunked")
            self._state = _State.CHUNK_SIZE
        elif length is not None:
            self._wanted_bytes = _parse_size(length, base=10)
            self._state = _State.SIZED_BODY
        else:
            self._keep_alive = False
            self._state = _State.BODY_TO_END

    def _take_data(self) -> int:
        """Moves those of the wanted bytes that have come into the body; returns how many lack."""
        if len(self._body) + self._wanted_bytes > _BODY_LIMIT_BYTES:
            raise MalformedReplyError("the body of the reply is too large")
        if len(self._buffer) <= self._wanted_bytes:
            taken = len(self._buffer)
            self._body += self._buffer
            self._buffer.clear()
        else:
            taken = self._wanted_bytes
            self._body += memoryview(self._buffer)[:taken]
            del self._buffer[:taken]
        self._wanted_bytes -= taken
        return self._wanted_bytes

    def _take_chunk_size(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        self._wanted_bytes = _parse_size(line.split(b";", 1)[0].decode("latin-1"), base=16)
        self._state = _State.CHUNK_DATA if self._wanted_bytes else _State.TRAILERS
        return True

    def _take_chunk_data(self) -> bool:
        if self._wanted_bytes and self._take_data() > 0:
            return False
        if len(self._buffer) < 2:
            return False
        if not self._buffer.startswith(b"\r\n"):
            raise MalformedReplyError("a chunk of the reply is longer than it says")
        del self._buffer[:2]
        self._state = _State.CHUNK_SIZE
        return True

    def _take_trailer(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        if not line:
            self._state = _State.DONE
        return True

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _LINE_LIMIT_BYTES:
                raise MalformedReplyError("a line of the chunked reply does not end")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _parse_status_line(line: str) -> tuple[str, int]:
    version, _, rest = line.partition(" ")
    code = rest[:3]
    if version not in ("HTTP/1.1", "HTTP/1.0") or not (code.isascii() and code.isdigit()):
        raise MalformedReplyError("the reply has no HTTP/1.x status line")
    if len(code) != 3 or rest[3:4] not in ("", " "):
        raise MalformedReplyError("the reply has no three-digit status")
    return version, int(code)


def _parse_fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise MalformedReplyError("the reply has a line that is no header field")
        fields[name.lower()] = value.strip(" \t")
    return fields


def _parse_size(text: str, *, base: int) -> int:
    digits = text.strip(" \t")
    allowed = "0123456789" if base == 10 else "0123456789abcdefABCDEF"
    if not digits or len(digits) > 16 or digits.strip(allowed):
        raise MalformedReplyError("the reply has a length that is no number")
    return int(digits, base)
