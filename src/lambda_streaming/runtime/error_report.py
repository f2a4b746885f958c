"""An exception in the form in which the Runtime API and the log take it.

Any exception can be reported: a text, type or traceback that cannot be read is left out. A report
goes to whoever invoked the function, and trailers may go on to its client. An exception whose text
or class name is not for them has a `public_message` or a `public_type`, which is reported in its
place.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Go's net/http, which the Runtime API runs on, refuses a body whose trailers do not fit into the
# 4,096 bytes of its read buffer ("suspiciously long trailer after chunked body").
_TRAILER_JSON_LIMIT_BYTES = 2_700
_REPORT_LIMIT_BYTES = 256 * 1024
_MESSAGE_LIMIT_CHARACTERS = 64 * 1024
_TYPE_LIMIT_CHARACTERS = 64


def error_type(error: BaseException) -> str:
    """`Function.<Name>`. The Runtime API takes only letters after the dot, two or more of them,
    and records anything else as Unknown."""
    letters = "".join(c for c in type_name(error) if c.isascii() and c.isalpha())
    name = letters[:1].upper() + letters[1:]
    return f"Function.{name}" if len(name) > 1 else "Function.Unknown"


def type_name(error: BaseException) -> str:
    return _unless_it_fails(
        lambda: _cut(
            getattr(error, "public_type", None) or type(error).__name__, _TYPE_LIMIT_CHARACTERS
        ),
        "Exception",
    )


def log_failure(log: logging.Logger, what: str, error: BaseException) -> None:
    """An error line with the exception's traceback, or without one that cannot be formatted: some
    logging handlers raise what fails in them."""
    try:
        log.error(what, exc_info=error, stacklevel=2)
    except BaseException as problem:
        log.error(
            "%s: %s, whose traceback fails: %s",
            what,
            type_name(error),
            type_name(problem),
            stacklevel=2,
        )


async def run_guarded(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work`, and logs what it raises instead of raising it."""
    try:
        await work()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if is_cancelled(error):
            raise
        log_failure(logger, f"{what} failed", error)


def is_cancelled(error: BaseException) -> bool:
    """Whether the running task was cancelled, and not only code in it raised CancelledError."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def error_report(error: BaseException) -> bytes:
    """The JSON body of `/error`."""
    return _report(error, _REPORT_LIMIT_BYTES)


def error_trailer_body(error: BaseException) -> bytes:
    """The same for a trailer: standard base64, cut to what the server accepts there."""
    return binascii.b2a_base64(_report(error, _TRAILER_JSON_LIMIT_BYTES), newline=False)


def _report(error: BaseException, limit_bytes: int) -> bytes:
    """Above the limit the outer frames are left out first, then the end of the message."""
    document: dict[str, Any] = {
        "errorMessage": _message(error),
        "errorType": type_name(error),
        "stackTrace": _unless_it_fails(lambda: _stack(error), list[str]()),
    }
    while len(encoded := json.dumps(document).encode()) > limit_bytes:
        stack = document["stackTrace"]
        if stack:
            document["stackTrace"] = stack[len(stack) // 2 + 1 :] if len(stack) > 1 else []
        else:
            document["errorMessage"] = document["errorMessage"][
                : len(document["errorMessage"]) // 2
            ]
    return encoded


def _message(error: BaseException) -> str:
    return _unless_it_fails(
        lambda: _cut(
            getattr(error, "public_message", None) or str(error), _MESSAGE_LIMIT_CHARACTERS
        ),
        f"<{type_name(error)} whose text cannot be made>",
    )


def _cut(text: str, length: int) -> str:
    """Returns a str proper: `__str__` may give an instance of a subclass."""
    return str.__getitem__(text, slice(length))


def _unless_it_fails(make: Callable[[], T], otherwise: T) -> T:
    try:
        return make()
    except BaseException:  # an exception's methods may raise anything, SystemExit included
        return otherwise


def _stack(error: BaseException) -> list[str]:
    return traceback.format_list(traceback.extract_tb(error.__traceback__, limit=-50))
