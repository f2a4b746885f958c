"""An exception as the Runtime API wants to be told of it."""

from __future__ import annotations

import binascii
import json
import traceback
from typing import Any

# Go's net/http, which the Runtime API runs on, refuses a body whose trailers do not fit into the
# 4,096 bytes of its read buffer ("suspiciously long trailer after chunked body").
_TRAILER_JSON_LIMIT_BYTES = 2_700
_REPORT_LIMIT_BYTES = 256 * 1024
_MESSAGE_LIMIT_CHARACTERS = 64 * 1024


def error_type(error: BaseException) -> str:
    """`Function.<Name>`. The Runtime API takes only letters after the dot, two or more of them,
    and records anything else as Unknown."""
    letters = "".join(c for c in type(error).__name__ if c.isascii() and c.isalpha())
    name = letters[:1].upper() + letters[1:]
    return f"Function.{name}" if len(name) > 1 else "Function.Unknown"


def error_report(error: BaseException) -> bytes:
    """The JSON body of `/error`."""
    return _report(error, _REPORT_LIMIT_BYTES)


def error_trailer_body(error: BaseException) -> bytes:
    """The same for a trailer: standard base64, cut to what the server accepts there."""
    return binascii.b2a_base64(_report(error, _TRAILER_JSON_LIMIT_BYTES), newline=False)


def _report(error: BaseException, limit_bytes: int) -> bytes:
    """Innermost frames and the beginning of the message are what is kept under the limit."""
    message = _message(error)[:_MESSAGE_LIMIT_CHARACTERS]
    document: dict[str, Any] = {
        "errorMessage": message,
        "errorType": type(error).__name__,
        "stackTrace": _stack(error),
    }
    while len(encoded := json.dumps(document).encode()) > limit_bytes:
        stack = document["stackTrace"]
        if stack:
            document["stackTrace"] = stack[len(stack) // 2 + 1 :] if len(stack) > 1 else []
        elif document["errorMessage"]:
            document["errorMessage"] = document["errorMessage"][
                : len(document["errorMessage"]) // 2
            ]
        else:
            document["errorType"] = document["errorType"][:64]
    return encoded


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return f"<{type(error).__name__} whose text cannot be made>"


def _stack(error: BaseException) -> list[str]:
    return traceback.format_list(traceback.extract_tb(error.__traceback__, limit=-50))
