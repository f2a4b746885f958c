"""A Lambda Runtime API for one execution environment, driven step by step and cheap.

It runs in the bench's own process, so that nothing of it is counted as the function's, and spends
no more than a `recv_into` on what a body brings: what the function costs is not to be what its
reader costs. How busy it was is part of every answer.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.bench.process_usage import Processes, Spent, Usage

WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.5
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:bench"
# Sampling is the row's choice; the default is what most invocations are.
UNSAMPLED = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
SAMPLED = UNSAMPLED.replace("Sampled=0", "Sampled=1")

_RUNTIME_PATH = "/2018-06-01/runtime/"
_BUFFER_BYTES = 1 << 20
_HEAD_END = b"\r\n\r\n"
_PRELUDE_END = bytes(8) + b"\r\n"
_TAIL_BYTES = 64
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'


class FunctionFailedError(Exception):
    """The function reported an error, or did nothing for too long."""


@dataclass(frozen=True, slots=True)
class NextAsked:
    """The function asked for an event: when, and what CPU time it had used by then."""

    at_ns: int
    usage: Usage


@dataclass(slots=True)
class Answer:
    """One invocation as the Runtime API saw it. Times are of the monotonic clock."""

    event_sent_ns: int
    spent: Spent = field(default_factory=lambda: Spent(0, 0))
    first_byte_ns: int = 0
    marker_cpu_ns: int = 0
    """What the process had used when the marker came."""
    ended_ns: int = 0
    next_ns: int = 0
    received_bytes: int = 0
    own_cpu_ns: int = 0
    """What reading the body cost this process."""

    @property
    def first_byte_ms(self) -> float:
        return (self.first_byte_ns - self.event_sent_ns) / 1e6

    @property
    def after_response_ms(self) -> float:
        return (self.next_ns - self.ended_ns) / 1e6

    @property
    def utilisation(self) -> float:
        """How much of the time in which the body came this process was reading it."""
        return self.own_cpu_ns / max(1, self.ended_ns - self.event_sent_ns)


class RuntimeApi:
    """Life: `wait_for_next`, then `invoke` again and again; or `begin` and, later, `finish`."""

    def __init__(self, is_alive: Callable[[], bool]) -> None:
        """`is_alive` is asked when nothing comes."""
        self._is_alive = is_alive
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._asking: socket.socket | None = None
        self._count = 0
        self._answer: Answer | None = None
        self._usage: Usage | None = None
        self._buffer = bytearray(_BUFFER_BYTES)

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def wait_for_next(self, processes: Processes) -> NextAsked:
        """Raises FunctionFailedError for an init error, and when nothing comes."""
        request = self._request()
        asked = NextAsked(time.monotonic_ns(), processes.usage())
        if not request.path.endswith("/invocation/next"):
            raise FunctionFailedError(f"{request.method} {request.path}: {request.text()}")
        self._asking, self._usage = request.connection, asked.usage
        return asked

    def invoke(
        self,
        processes: Processes,
        event: Mapping[str, Any],
        *,
        trace_header: str = UNSAMPLED,
        marker: bytes | None = None,
    ) -> Answer:
        """`begin`, and `finish` at once."""
        self.begin(processes, event, trace_header=trace_header)
        return self.finish(processes, marker=marker)

    def begin(
        self, processes: Processes, event: Mapping[str, Any], *, trace_header: str = UNSAMPLED
    ) -> None:
        """Hands out an event. What comes back waits in the kernel until `finish`."""
        assert self._asking is not None, "the function has not asked for an event"
        self._count += 1
        body = json.dumps(event).encode()
        deadline_ms = int(time.time() * 1000) + 900_000
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"Lambda-Runtime-Aws-Request-Id: 00000000-0000-4000-8000-{self._count:012d}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {FUNCTION_ARN}\r\n"
            f"Lambda-Runtime-Trace-Id: {trace_header}\r\n\r\n"
        )
        self._usage = processes.usage()
        self._answer = Answer(time.monotonic_ns())
        self._asking.sendall(head.encode() + body)
        self._acknowledge_at_once()
        self._asking = None

    def finish(self, processes: Processes, *, marker: bytes | None = None) -> Answer:
        """Takes the answer of the event begun until the function asks for another one; with a
        marker, until that was found in the body, and the function is of no use afterwards."""
        answer, usage = self._answer, self._usage
        assert answer is not None
        assert usage is not None
        request = self._request()
        if not request.path.endswith("/response"):
            raise FunctionFailedError(f"{request.method} {request.path}: {request.text()}")
        if request.length is None:
            self._read_stream(request, answer, processes, marker)
        else:
            request.text()
            answer.first_byte_ns = answer.ended_ns = time.monotonic_ns()
            answer.marker_cpu_ns = processes.cpu_ns()
        if marker is not None:
            return answer
        request.connection.sendall(_ACCEPTED)
        self._answer = None
        answer.next_ns = self.wait_for_next(processes).at_ns
        answer.spent = processes.spent_since(usage)
        return answer

    def _acknowledge_at_once(self) -> None:
        """A client that leaves Nagle's algorithm on would wait 40 ms for this side's kernel between
        its head and its first byte. That is not what its first byte is to be measured by."""
        for key in self._selector.get_map().values():
            if key.fileobj is not self._listener:
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _request(self) -> _Request:
        """The next request of the function's, on whatever connection it comes: it asks for one
        thing at a time. An extension's are answered here: it registers, and gets no event. All that
        is ready gets its turn first: nobody waits for ever behind a busy function."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            ready = self._selector.select(_LOOK_SECONDS)
            if not ready and not self._is_alive():
                raise FunctionFailedError("the function's process has ended")
            if not ready and time.monotonic() > deadline:
                raise FunctionFailedError(f"nothing came for {WAIT_SECONDS:g} s")
            asked: _Request | None = None
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj is self._listener:
                    connection, _ = self._listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    connection.settimeout(WAIT_SECONDS)
                    self._selector.register(connection, selectors.EVENT_READ)
                    continue
                request = _read_head(key.fileobj)
                if request is None:
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()
                elif request.path.endswith("/extension/register"):
                    request.text()
                    request.connection.sendall(
                        b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: bench\r\n"
                        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                    )
                elif request.path.startswith(_RUNTIME_PATH):
                    assert asked is None, "the function asks for one thing at a time"
                    asked = request
                elif not request.path.endswith("/extension/event/next"):
                    # Not the function's: somebody else on this computer looks for a port of theirs.
                    self._selector.unregister(request.connection)
                    request.connection.close()
            if asked is not None:
                return asked

    def _read_stream(
        self, request: _Request, answer: Answer, processes: Processes, marker: bytes | None
    ) -> None:
        connection, buffer = request.connection, self._buffer
        view = memoryview(buffer)
        early: bytearray | None = bytearray()
        tail = b""
        size = len(request.rest)
        buffer[:size] = request.rest
        cpu_ns = time.thread_time_ns()
        while True:
            answer.received_bytes += size
            if early is not None:
                early += view[:size]
                if _note(answer, early, processes, marker):
                    if marker is not None:
                        return
                    early = None
            tail = (tail + view[max(0, size - _TAIL_BYTES) : size])[-_TAIL_BYTES:]
            if tail.endswith(_HEAD_END):
                if marker is not None:
                    raise FunctionFailedError(f"the body ended without {marker!r}")
                if tail.endswith(_LAST_CHUNK):
                    break
                if b"\r\n0\r\n" in tail:
                    raise FunctionFailedError(f"the body ended with trailers: …{tail!r}")
            try:
                size = connection.recv_into(buffer)
            except TimeoutError:
                raise FunctionFailedError("the body did not go on") from None
            if not size:
                raise FunctionFailedError("the connection was closed inside a body")
        answer.ended_ns = time.monotonic_ns()
        answer.own_cpu_ns = time.thread_time_ns() - cpu_ns


@dataclass(slots=True)
class _Request:
    connection: socket.socket
    method: str
    path: str
    length: int | None
    """None: chunked."""
    rest: bytes
    """What came after the head."""

    def text(self) -> str:
        """The body of a sized request."""
        while len(self.rest) < (self.length or 0):
            data = self.connection.recv(_BUFFER_BYTES)
            if not data:
                break
            self.rest += data
        return self.rest.decode(errors="replace")


def _read_head(connection: socket.socket) -> _Request | None:
    """None when the other side has closed."""
    received = b""
    while _HEAD_END not in received:
        try:
            data = connection.recv(65536)
        except ConnectionError:
            return None
        if not data:
            return None
        received += data
    head, _, rest = received.partition(_HEAD_END)
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    length = None if is_chunked else int(headers.get("content-length", "0"))
    return _Request(connection, method, path, length, rest)


def _note(answer: Answer, early: bytearray, processes: Processes, marker: bytes | None) -> bool:
    """Whether all that is looked for in the beginning was found."""
    prelude_end = early.find(_PRELUDE_END)
    if prelude_end < 0 or len(early) == prelude_end + len(_PRELUDE_END):
        return False
    if not answer.first_byte_ns:
        answer.first_byte_ns = time.monotonic_ns()
    if marker is None:
        return True
    if marker not in early:
        return False
    answer.marker_cpu_ns = processes.cpu_ns()
    return True
