"""One invocation: its event, its response in flight, its outcome."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from dataclasses import dataclass, field

from local_aws.traces.trace_header import Trace

BUFFER_BYTES = 64 * 1024


class Outcome(enum.Enum):
    RUNNING = "running"
    ANSWERED = "answered"
    ERROR = "error"  # the function called /error
    TRUNCATED = "truncated"  # the response's connection broke before its terminating chunk
    TIMED_OUT = "timed out"
    EXITED = "exited"  # the process ended
    INIT_FAILED = "init failed"
    TOO_LARGE = "too large"
    BAD_MODE = "bad response mode"


class InvocationFailedError(Exception):
    """The function gave no whole response; `outcome` says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """How the function answers: its response mode and the content type of its POST."""

    streamed: bool
    content_type: str | None


class Relay:
    """A response in flight, from the Runtime API to the Function URL, in a bounded buffer.

    One writer, one reader. A full buffer holds the writer, which then stops reading from the
    function: this is all the back pressure there is.
    """

    def __init__(self, *, capacity_bytes: int = BUFFER_BYTES) -> None:
        self._capacity_bytes = capacity_bytes
        self._chunks: deque[bytes] = deque()
        self._buffered_bytes = 0
        self._head: ResponseHead | None = None
        self._failure: InvocationFailedError | None = None
        self._ended = False
        self._detached = False
        self._changed = asyncio.Condition()
        self.failed = asyncio.Event()

    async def start(self, head: ResponseHead) -> None:
        async with self._changed:
            self._head = head
            self._changed.notify_all()

    async def write(self, chunk: bytes) -> None:
        """Waits for room. After `detach` the bytes are dropped without waiting."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._buffered_bytes < self._capacity_bytes or self._detached
            )
            if not self._detached:
                self._chunks.append(chunk)
                self._buffered_bytes += len(chunk)
                self._changed.notify_all()

    async def finish(self) -> None:
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def fail(self, outcome: Outcome) -> None:
        """Ends the response as broken; no effect once it has ended."""
        async with self._changed:
            if not self._ended:
                self._failure, self._ended = InvocationFailedError(outcome), True
                self.failed.set()
                self._changed.notify_all()

    async def detach(self) -> None:
        """The client has gone: what is written from now on is dropped."""
        async with self._changed:
            self._detached = True
            self._chunks.clear()
            self._buffered_bytes = 0
            self._changed.notify_all()

    async def head(self) -> ResponseHead:
        """Raises InvocationFailedError when the function failed before it began to answer."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._head is not None or self._ended)
            if self._head is None:
                raise self._failure or InvocationFailedError(Outcome.EXITED)
            return self._head

    async def read(self) -> bytes:
        """The next bytes, b"" at the end. Raises InvocationFailedError.

        Whatever arrived before a failure is given first, as on AWS.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._chunks) or self._ended)
            if self._chunks:
                data = b"".join(self._chunks)
                self._chunks.clear()
                self._buffered_bytes = 0
                self._changed.notify_all()
                return data
            if self._failure is not None:
                raise self._failure
            return b""


@dataclass(slots=True, kw_only=True)
class Invocation:
    """Times are epoch seconds; `trailers` and `error_*` are what the function sent."""

    request_id: str
    event: bytes
    trace: Trace
    function_arn: str
    received_at: float
    client_context: str | None = None  # JSON that a caller of Invoke gave
    deadline_ms: int = 0
    invocation_id: str = ""
    relay: Relay = field(default_factory=Relay)
    environment: int = 0  # the number of the execution environment
    environment_pid: int = 0
    cold_start: bool = False
    started_at: float = 0.0  # handed to the function
    answered_at: float = 0.0  # its response had wholly arrived
    finished_at: float = 0.0  # it asked for the next event, or ended
    response_bytes: int = 0
    last_byte_at: float = 0.0  # the client was last sent something of the body
    status: int | None = None  # what the client got
    outcome: Outcome = Outcome.RUNNING
    trailers: dict[str, str] = field(default_factory=dict)
    error_type: str | None = None
    error_body: bytes = b""
    client_left: bool = False
    finished: asyncio.Event = field(default_factory=asyncio.Event)
