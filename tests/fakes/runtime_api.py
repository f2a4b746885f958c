"""A Lambda Runtime API on real sockets, in threads of its own, that keeps the real one's rules.

The reply codes and state checks are those of the server inside AWS's Runtime Interface Emulator
(https://github.com/aws/aws-lambda-runtime-interface-emulator). What it does with an answer is told
by the event's `Treatment`; everything it receives is kept, byte for byte and with its time.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

API = "/2018-06-01/runtime"
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"
NULS = bytes(8)


@dataclass(frozen=True)
class Treatment:
    """What happens to the answer of one event. Chunks count from 1, the prelude being two."""

    close_after_chunks: int | None = None
    reset: bool = False
    """Close with RST in place of FIN."""
    reply_after_chunks: int | None = None
    """Send the reply early, then go on reading."""
    reply_without_reading: bool = False
    stop_reading_after_chunks: int | None = None
    reply_status: int = 202
    no_reply: bool = False


@dataclass(frozen=True)
class Event:
    body: bytes = b"{}"
    request_id: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    treatment: Treatment = Treatment()
    delay_seconds: float = 0.0
    chunked: bool = False
    piece_bytes: int | None = None
    """Send the reply in pieces of this size."""


@dataclass(frozen=True)
class Raw:
    """A reply to `/next` that keeps no rules, and then the connection closed or not."""

    data: bytes
    close: bool = True


@dataclass
class Exchange:
    """One request as it was received."""

    connection: int
    raw_head: bytes
    method: str
    path: str
    headers: dict[str, str]
    at: float
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    body: bytes = b""
    trailers: dict[str, str] = field(default_factory=dict)
    raw_body: bytearray = field(default_factory=bytearray)
    complete: bool = False
    status: int | None = None
    ended_at: float | None = None

    @property
    def prelude(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.chunks[0][1])
        return document

    @property
    def payload(self) -> bytes:
        return self.body.split(NULS, 1)[1]

    @property
    def error_report(self) -> dict[str, Any]:
        encoded = self.trailers["lambda-runtime-function-error-body"]
        report: dict[str, Any] = json.loads(base64.b64decode(encoded, validate=True))
        return report


class _Closed(Exception):
    """The other side is gone."""


class FakeRuntimeApi:
    """Start it with `with`. `receive_buffer_bytes` makes a peer that stops reading felt early.
    `slots` is how many events it hands out before one of them is answered."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        base_path: str = "",
        receive_buffer_bytes: int | None = None,
        close_after_each_reply: bool = False,
        slots: int = 1,
    ) -> None:
        self._slots = slots
        self._base_path = base_path
        self._close_after_each_reply = close_after_each_reply
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer_bytes is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self._listener.bind((host, 0))
        self._listener.listen()
        port = self._listener.getsockname()[1]
        self.endpoint = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._changed = threading.Condition()
        self._queue: deque[Event | Raw] = deque()
        self._ids = count(1)
        self._running: dict[str, Event] = {}
        self._last_answered = ""
        self._closing = False
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.exchanges: list[Exchange] = []
        self.keep_chunks = True
        self.restore_status = 200

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self.refuse_connections()
        for connection in self._connections:
            _shut(connection)
        for thread in self._threads:
            thread.join(5)
        for connection in self._connections:
            connection.close()

    def add(self, *events: Event | Raw) -> None:
        with self._changed:
            self._queue.extend(events)
            self._changed.notify_all()

    def refuse_connections(self) -> None:
        _shut(self._listener)
        self._listener.close()

    def drop_connections(self) -> None:
        """Closes every connection under whatever is going on."""
        for connection in list(self._connections):
            _shut(connection)

    def answers(self) -> list[Exchange]:
        """The /response and /error requests so far."""
        return [e for e in list(self.exchanges) if e.path.endswith(("/response", "/error"))]

    def init_errors(self) -> list[dict[str, Any]]:
        """What was reported of a failed init."""
        found = [e for e in list(self.exchanges) if e.path.endswith("/init/error") and e.complete]
        return [json.loads(e.body) for e in found]

    def polls(self) -> list[Exchange]:
        return [e for e in list(self.exchanges) if e.path.endswith("/invocation/next")]

    def wait_until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        """Blocks the calling thread until the condition holds; it is checked at every change."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds), "the fake Runtime API waited in vain"

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        for number in count(1):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(connection)
            self._start(_Conversation(self, connection, number).run)

    # What a conversation asks for, under the lock.

    def record(self, exchange: Exchange) -> None:
        with self._changed:
            self.exchanges.append(exchange)
            self._changed.notify_all()

    def note_change(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def take_event(self, asker: socket.socket) -> tuple[str, Event] | Raw:
        with self._changed:
            if len(self._running) == self._slots == 1:
                return next(iter(self._running.items()))  # asked again: the same event again
            while not self._queue or len(self._running) >= self._slots:
                if self._closing or _ended(asker):
                    raise _Closed
                self._changed.wait(0.02)
            if self._closing or _ended(asker):
                raise _Closed
            item = self._queue.popleft()
            if isinstance(item, Raw):
                return item
            request_id = item.request_id
            if request_id is None:
                request_id = f"request-{next(self._ids)}"
            self._running[request_id] = item
            return request_id, item

    def begin_answer(self, request_id: str) -> tuple[int, Treatment]:
        with self._changed:
            for running in self._running:
                if _quoted(running) == request_id:
                    self._last_answered = request_id
                    treatment = self._running.pop(running).treatment
                    self._changed.notify_all()
                    return treatment.reply_status, treatment
            return 403 if request_id == self._last_answered else 400, Treatment()

    def wait_until_closing(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing)

    def strip_base(self, path: str) -> str:
        assert path.startswith(self._base_path + API), path
        return path.removeprefix(self._base_path + API)

    @property
    def closes_after_each_reply(self) -> bool:
        return self._close_after_each_reply


class _Conversation:
    """One connection, request after request."""

    def __init__(self, api: FakeRuntimeApi, connection: socket.socket, number: int) -> None:
        self._api = api
        self._socket = connection
        self._number = number
        self._buffer = bytearray()

    def run(self) -> None:
        try:
            while self._serve_one() and not self._api.closes_after_each_reply:
                pass
        except (_Closed, OSError):
            pass
        finally:
            self._close()
            self._api.note_change()

    def _close(self) -> None:
        _shut(self._socket)
        self._socket.close()

    def _serve_one(self) -> bool:
        exchange = self._read_head()
        path = self._api.strip_base(exchange.path)
        if path == "/invocation/next":
            return self._serve_next()
        if path == "/restore/next":
            return self._reply(exchange, self._api.restore_status)
        if path in ("/restore/error", "/init/error"):
            self._read_body(exchange, Treatment())
            return self._reply(exchange, 202)
        _, _, request_id, verb = path.split("/")
        status, treatment = self._api.begin_answer(request_id)
        if status >= 400 and treatment == Treatment():
            return self._reply(exchange, status) and False
        if (
            exchange.headers.get("lambda-runtime-function-response-mode", "streaming")
            != "streaming"
        ):
            return self._reply(exchange, 400) and False
        assert verb in ("response", "error")
        if treatment.reply_without_reading:
            self._reply(exchange, status)
            self._api.wait_until_closing()
            return False
        if not self._read_body(exchange, treatment):
            return False
        if treatment.no_reply:
            self._read_until_closed()
            return False
        return treatment.reply_after_chunks is not None or self._reply(exchange, status)

    def _serve_next(self) -> bool:
        item = self._api.take_event(self._socket)
        if isinstance(item, Raw):
            self._socket.sendall(item.data)
            return not item.close
        request_id, event = item
        time.sleep(event.delay_seconds)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 60) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": FUNCTION_ARN,
            "Content-Type": "application/json",
        } | event.headers
        if event.chunked:
            headers["Transfer-Encoding"] = "chunked"
            body = b"%x;extension=1\r\n%b\r\n0\r\nX-Trailer: 1\r\n\r\n" % (
                len(event.body),
                event.body,
            )
        else:
            headers["Content-Length"] = str(len(event.body))
            body = event.body
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("utf-8", "surrogateescape")
        reply = head + body
        piece_bytes = event.piece_bytes or len(reply)
        for start in range(0, len(reply), piece_bytes):
            self._socket.sendall(reply[start : start + piece_bytes])
        return True

    def _read_head(self) -> Exchange:
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer[:] = rest
        request_line, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        method, path, version = request_line.split(" ")
        assert version == "HTTP/1.1"
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        assert len(headers) == len(lines), "a header was sent twice"
        exchange = Exchange(
            self._number, head + b"\r\n\r\n", method, path, headers, time.monotonic()
        )
        self._api.record(exchange)
        return exchange

    def _read_body(self, exchange: Exchange, treatment: Treatment) -> bool:
        """Whether all of it came and the connection is still wanted."""
        try:
            if exchange.headers.get("transfer-encoding") == "chunked":
                if not self._read_chunks(exchange, treatment):
                    return False
            else:
                length = int(exchange.headers["content-length"])
                exchange.body = self._take(length)
            exchange.complete = True
            return True
        finally:
            exchange.ended_at = time.monotonic()
            self._api.note_change()

    def _read_chunks(self, exchange: Exchange, treatment: Treatment) -> bool:
        for number in count(1):
            size_line = self._take_line()
            size = int(size_line, 16)
            if size == 0:
                exchange.raw_body += b"0\r\n"
                return self._read_trailers(exchange)
            data = self._take(size + 2)
            assert data.endswith(b"\r\n")
            if self._api.keep_chunks:
                exchange.raw_body += size_line + b"\r\n" + data
                exchange.chunks.append((time.monotonic(), data[:-2]))
                exchange.body += data[:-2]
            self._api.note_change()
            if number == treatment.reply_after_chunks:
                self._reply(exchange, treatment.reply_status)
            if number == treatment.stop_reading_after_chunks:
                self._api.wait_until_closing()
                raise _Closed
            if number == treatment.close_after_chunks:
                if treatment.reset:
                    linger = struct.pack("ii", 1, 0)
                    self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self._socket.close()
                return False
        return False

    def _read_trailers(self, exchange: Exchange) -> bool:
        while line := self._take_line():
            exchange.raw_body += line + b"\r\n"
            name, _, value = line.decode().partition(": ")
            exchange.trailers[name.lower()] = value
        exchange.raw_body += b"\r\n"
        return True

    def _reply(self, exchange: Exchange, status: int) -> bool:
        body = b'{"status":"OK"}\n'
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        exchange.status = status
        self._api.note_change()
        return True

    def _take_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._fill()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _fill(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise _Closed
        self._buffer += data

    def _read_until_closed(self) -> None:
        while True:
            self._fill()


def _quoted(request_id: str) -> str:
    return quote(request_id, safe="", errors="surrogateescape")


def _ended(connection: socket.socket) -> bool:
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
