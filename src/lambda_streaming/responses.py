"""What a handler may answer, and how the delivery of a streamed body ended."""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


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
    SHUTDOWN = "shutdown"
    """SIGTERM arrived."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer that is complete. It travels as a stream with a prelude, too: a buffered
    answer on a RESPONSE_STREAM function URL would be passed on raw, as a 200.

    Raises ValueError for an empty body: function URLs hang on an empty streamed payload
    (https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/95).
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.body:
            raise ValueError(
                "Response.body is empty and a function URL hangs on an empty streamed answer: "
                "give at least one byte"
            )


@dataclass(frozen=True, slots=True)
class BufferedResponse:
    """The answer to an event that did not come over HTTP."""

    payload: bytes
    content_type: str = "application/json"


Finish: TypeAlias = Callable[[StreamOutcome, BaseException | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class StreamingResponse:
    """An HTTP answer whose body is produced while it is sent.

    `body` is closed by the runtime before `finish` is called, and `finish` is called exactly once,
    also when the answer could not be begun. It is cancelled where SIGTERM leaves it no time. Its
    second argument is what the body raised (FAILED) or how the connection broke (LOST), else None.
    A body is cancelled where it waits; one that swallows that is ended when it yields next.

    `stall_seconds` bounds the time in which the Runtime API accepts no byte. `give_up_at` is an
    instant on the monotonic clock after which a blocked write is given up at once.
    """

    status: int
    headers: Mapping[str, str]
    body: AsyncGenerator[bytes, None] = field(repr=False)
    finish: Finish = field(repr=False)
    stall_seconds: float
    give_up_at: float | None = None
    cookies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.stall_seconds > 0:
            raise ValueError(f"stall_seconds must be above 0, not {self.stall_seconds!r}")


Result: TypeAlias = Response | BufferedResponse | StreamingResponse
