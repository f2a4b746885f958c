"""What tracing, metrics and access logs may learn of one request of an app."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from typing import Protocol, TypeAlias

from lambda_streaming.bridge.types import Scope
from lambda_streaming.requests import Request
from lambda_streaming.runtime.error_report import log_failure

logger = logging.getLogger(__name__)


class EndReason(enum.Enum):
    """How the answer to a request ended."""

    COMPLETED = "completed"
    """The app sent all of it, and it was delivered."""
    FAILED = "failed"
    """The app raised, or returned without a whole answer."""
    DEADLINE = "deadline"
    """The invocation's deadline came near."""
    MAX_STREAM = "max_stream"
    """The body was open for `max_stream_seconds`: an event stream ended as if the app had ended it,
    any other body with an error."""
    TOO_LARGE = "too_large"
    """The body was larger than a buffered answer may be."""
    STALLED = "stalled"
    """No byte was accepted for `stall_seconds`."""
    LOST = "lost"
    """The Runtime API closed its socket, or refused the answer, before it was complete."""
    CLOSED = "closed"
    """Somebody asked for the end of the stream."""
    SHUTDOWN = "shutdown"
    """SIGTERM arrived."""


class Observer(Protocol):
    """Is told of one request, on the event loop, each thing once and in this order; what does not
    happen is left out. What it raises is logged, and hurts no answer.

    The methods are called in different contexts: a context variable that `began` sets is seen by
    the app and by the body, but its token cannot be reset in another method.
    """

    def began(self, scope: Scope) -> None:
        """The app is called next, in a copy of the context in which this is called. The scope may
        be changed: `scope["headers"]` is a list of its own."""

    def head_sent(self, status: int) -> None:
        """The status of the answer is settled and goes out, the app's or one in its place."""

    def first_byte(self) -> None:
        """The first block of the body was accepted."""

    def body_ended(self, body_bytes: int, chunks: int, is_complete: bool) -> None:
        """The body is complete or cut off, after so many bytes that were accepted. `app_returned`
        may come before it: an answer that is one block is sent while the app may return."""

    def app_returned(self, error: BaseException | None) -> None:
        """The app returned, or raised the error: None where it raised what ended it, a
        ClientDisconnected or its cancellation. What it did after a complete body was background
        work."""

    def ended(self, reason: EndReason) -> None:
        """The answer and the app are over; nothing follows."""


Observe: TypeAlias = Callable[[Request], Observer]
"""Makes the observer of one request."""


class NoObserver:
    """Wants to know nothing."""

    def began(self, scope: Scope) -> None: ...
    def head_sent(self, status: int) -> None: ...
    def first_byte(self) -> None: ...
    def body_ended(self, body_bytes: int, chunks: int, is_complete: bool) -> None: ...
    def app_returned(self, error: BaseException | None) -> None: ...
    def ended(self, reason: EndReason) -> None: ...


def told(what: str, tell: Callable[[], None]) -> None:
    """Tells an observer; whatever it raises is logged and goes no further."""
    try:
        tell()
    except Exception as error:
        log_failure(logger, f"the observer's {what} failed", error)
