"""What a handler may answer, and how the delivery of a streamed body ended."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, TypeAlias, TypeVar, cast

BUFFERED_LIMIT_BYTES = 6 * 1024 * 1024 - 64 * 1024
"""Lambda takes 6 MB from a buffered answer
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html); its headers, and what the
runtime puts around it, need a part of them."""

EVENT_STREAM_SECONDS = 300.0
"""AWS hides that a client left: every abandoned event stream is billed until it ends."""


class StreamOutcome(enum.Enum):
    """How a streamed body ended; what `StreamingResponse.finish` is told."""

    COMPLETED = "completed"
    """The body ended by itself and the Runtime API confirmed the answer."""
    FAILED = "failed"
    """The body raised; error trailers were sent."""
    STALLED = "stalled"
    """No byte was accepted in time; the connection was closed without a terminating chunk."""
    LOST = "lost"
    """The Runtime API closed its socket, or refused the answer, before it was complete."""
    CLOSED = "closed"
    """Its `until` returned: somebody asked for its end."""
    SHUTDOWN = "shutdown"
    """SIGTERM arrived."""


Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
"""A mapping, or pairs where names repeat."""


def header_pairs(headers: Headers | None) -> Iterable[tuple[str, str]]:
    """Name and value of each; an iterator is read by whoever iterates."""
    return headers.items() if isinstance(headers, Mapping) else headers or ()


Finish: TypeAlias = Callable[[StreamOutcome, BaseException | None], Awaitable[None]]
"""Work after an answer, with the client already served. Called exactly once, also when the answer
could not be begun, and cancelled where SIGTERM leaves it no time. It is told what the body raised
or why the answer was not delivered, too."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer that is complete. Text is sent as UTF-8.

    `headers` is a mapping, or pairs where names repeat. `finish` is work after the answer, with the
    client already served.
    """

    body: bytes | str = b""
    status: int = 200
    headers: Headers | None = None
    cookies: Sequence[str] = ()
    """Each is the value of one Set-Cookie header."""
    finish: Finish | None = field(default=None, repr=False)
    route: str | None = None
    """What the log calls the request's path."""


@dataclass(frozen=True, slots=True)
class BufferedResponse:
    """The answer to an event that did not come over HTTP."""

    payload: bytes
    content_type: str = "application/json"
    finish: Finish | None = field(default=None, repr=False)


class Write(Protocol):
    """Sends one block of a body, and returns when the Runtime API's socket has taken it.

    Raises ConnectionLostError where nobody takes it any more, RuntimeError after `end`.
    """

    async def __call__(self, block: bytes | str) -> None: ...

    @property
    def stopped_by(self) -> StreamOutcome | None:
        """Why the body is being cancelled; None while it is not."""

    async def end(self) -> None:
        """The body is complete: the client has all of it, and the function that wrote it may go
        on."""


PushedBody: TypeAlias = Callable[[Write], Awaitable[None]]
Body: TypeAlias = AsyncIterable[bytes | str] | Iterable[bytes | str] | PushedBody
"""An iterable of blocks, asynchronous or not, or an async function of a Write."""


@dataclass(frozen=True, slots=True)
class StreamingResponse:
    """An HTTP answer whose body is produced while it is sent, one write for each block.

    The body is an iterable of bytes or text, or an async function that writes. An iterable that is
    not asynchronous is asked for its blocks on a worker thread. An async function gets a `Write`
    and calls it; several of its tasks may. What it raises after `end` is logged, and given to
    `finish` with COMPLETED.

    `body` is closed by the runtime before `finish` is called, whose second argument is what the
    body raised (FAILED) or how the connection broke (LOST), else None. A body is cancelled where it
    waits; one that swallows that is ended when it yields next.

    `opening` is the body's first block where it is known by now: it is sent in one write with the
    head. `until` runs beside the body, which ends when it returns (CLOSED).
    `stall_seconds` bounds the time in which the Runtime API accepts no byte. `write_deadline` is an
    instant on the monotonic clock after which a blocked write is given up at once.
    `route` is what the log calls the request's path.
    """

    body: Body = field(repr=False)
    status: int = 200
    headers: Headers | None = None
    cookies: Sequence[str] = ()
    finish: Finish | None = field(default=None, repr=False)
    stall_seconds: float = 30.0
    write_deadline: float | None = None
    until: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    route: str | None = None
    opening: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.body, bytes | str):
            raise TypeError("the body of a StreamingResponse is an iterable: use Response for it")
        if not self.stall_seconds > 0:
            raise ValueError(f"stall_seconds must be above 0, not {self.stall_seconds!r}")


Result: TypeAlias = Response | BufferedResponse | StreamingResponse


AnyResult = TypeVar("AnyResult", bound=Result)

_FIELD_NAMES: Mapping[type[Any], tuple[str, ...]] = {
    kind: tuple(one.name for one in fields(kind))
    for kind in (Response, StreamingResponse, BufferedResponse)
}


def changed(result: AnyResult, **changes: Any) -> AnyResult:
    """The answer with other values, as an instance of its class here: dataclasses.replace would
    call the `__init__` of an app's own subclass, which may take other arguments."""
    kind = next(one for one in _FIELD_NAMES if isinstance(result, one))
    values = {name: getattr(result, name) for name in _FIELD_NAMES[kind]}
    return cast(AnyResult, kind(**values | changes))
