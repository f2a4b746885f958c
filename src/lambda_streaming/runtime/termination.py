"""SIGTERM: what it interrupts, and the bound on everything that happens after it."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

# Lambda kills 300 ms (internal extensions) to 2 s after SIGTERM; the tighter one is kept.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
_INVOCATION_SECONDS = 0.12
_SHUT_DOWN_SECONDS = 0.2
_EXIT_SECONDS = 0.25


class TerminatedError(BaseException):
    """Raised inside the handler by SIGTERM. No Exception: no `except Exception` may swallow it."""


class Termination:
    """Set up with `signal.signal`, because a handler occupies the event loop's thread: a handler of
    asyncio's would only run after it."""

    def __init__(self, event_loop: asyncio.AbstractEventLoop) -> None:
        self._event_loop = event_loop
        self._at: float | None = None
        self._in_handler = False
        self._previous: Any = signal.SIG_DFL
        self.requested = event_loop.create_future()

    @property
    def begun(self) -> bool:
        """True from the signal on; `requested` is done one turn of the event loop later."""
        return self._at is not None

    def listen(self) -> None:
        """Handles SIGTERM from now on."""
        self._previous = signal.getsignal(signal.SIGTERM)
        # The kernel may give the signal to any thread, and does where the environment was frozen:
        # Python then only notes it, and an event loop that waits would sleep on. asyncio's own
        # handler, replaced at once, leaves behind what wakes the loop (signal.set_wakeup_fd).
        self._event_loop.add_signal_handler(signal.SIGTERM, _nothing)
        signal.signal(signal.SIGTERM, self._on_signal)

    def hand_back(self) -> None:
        """Restores the handler that SIGTERM had before."""
        self._event_loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, self._previous)

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """SIGTERM raises TerminatedError in what runs inside."""
        try:
            self._in_handler = True
            yield
        finally:
            self._in_handler = False

    def invocation_seconds_left(self) -> float:
        """Until the invocation under way is cut off, so that `shut_down` has some time, too."""
        return self._seconds_until(_INVOCATION_SECONDS)

    def shut_down_seconds_left(self) -> float:
        """Until `shut_down` is cancelled, which leaves a moment to log what was not done."""
        return self._seconds_until(_SHUT_DOWN_SECONDS)

    def _seconds_until(self, bound: float) -> float:
        return max(0.0, bound - (time.monotonic() - (self._at or 0.0)))

    def _on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        if self._at is not None:
            return
        self._at = time.monotonic()
        # Whatever blocks the main thread from here on, `shut_down` or a handler that swallows the
        # interruption, the process ends in time.
        # Not a threading.Thread: starting one takes locks that the interrupted code may hold.
        with contextlib.suppress(RuntimeError):
            _thread.start_new_thread(_exit_in_time, ())
        self._event_loop.call_soon_threadsafe(self.requested.set_result, None)
        if self._in_handler:
            raise TerminatedError


def _nothing() -> None: ...


def require_main_thread() -> None:
    """Raises RuntimeError elsewhere: only the main thread can receive SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("the runtime loop must run on the main thread, to receive SIGTERM")


def exit_process(code: int) -> NoReturn:
    """Ends the process without the interpreter's shutdown, which waits for threads. Returning or
    raising would hand over to the managed runtime, which would start a loop of its own."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _exit_in_time() -> None:
    time.sleep(_EXIT_SECONDS)
    os._exit(0)
