"""How an app is served: `STREAMING_*` variables, each overridden by the argument of the handler."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from lambda_streaming.doors.door import InvokeMode
from lambda_streaming.environ import EnvironReader, SettingsError, unknown_names
from lambda_streaming.runtime.framing import EMPTY_BODY

_STATUSES = re.compile(r"\s*[1-5]\d\d\s*(-\s*[1-5]\d\d\s*)?(,\s*[1-5]\d\d\s*(-\s*[1-5]\d\d\s*)?)*")
_LIFESPANS = ("auto", "on", "off")
_EMPTY_BODIES = {"byte": EMPTY_BODY, "none": b""}

PREFIX = "STREAMING_"
_OF_OTHERS = ("APP", "TRACE_DETAIL", "TRACE_SPAN_BUDGET", "TRACE_SLOW_MS", "FLUSH_SECONDS")
"""Settings of the entrypoint and of the tracing."""


@dataclass(frozen=True, slots=True)
class AppSettings:
    """`root_path` None is the front door's. `max_stream_seconds` None bounds event streams alone,
    by 300 seconds. An answer with one of `error_statuses` counts as a failed invocation. `url_cors`
    says that the Function URL answers for CORS itself. `empty_body` is sent in place of a streamed
    body without content, as chunks.
    """

    invoke_mode: InvokeMode = InvokeMode.AUTO
    lifespan: str = "auto"
    root_path: str | None = None
    max_stream_seconds: float | None = None
    error_statuses: tuple[range, ...] = ()
    url_cors: bool = False
    empty_body: bytes = EMPTY_BODY

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], given: Mapping[str, Any]) -> AppSettings:
        """`given` are the handler's arguments, None where one was left out.

        Raises SettingsError for a value that is not valid.
        """
        own = _own(EnvironReader(environ))
        known = {field.name for field in fields(cls)}
        own |= {name: value for name, value in given.items() if name in known and value is not None}
        _check("lifespan", own["lifespan"], _LIFESPANS)
        _check("invoke_mode", own["invoke_mode"], tuple(InvokeMode))
        own["invoke_mode"] = InvokeMode(own["invoke_mode"])
        return cls(**own)

    def is_error(self, status: int) -> bool:
        return any(status in statuses for statuses in self.error_statuses)


def unknown_settings(environ: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """Variables that begin like a setting and are none, each with the nearest one."""

    def read(reader: EnvironReader) -> None:
        _own(reader)
        for name in _OF_OTHERS:
            reader.optional(PREFIX + name)

    return unknown_names(environ, PREFIX, read)


def _own(read: EnvironReader) -> dict[str, Any]:
    return {
        "invoke_mode": read.choice(f"{PREFIX}INVOKE_MODE", tuple(InvokeMode)),
        "lifespan": read.choice(f"{PREFIX}LIFESPAN", _LIFESPANS),
        "root_path": read.optional(f"{PREFIX}ROOT_PATH"),
        "max_stream_seconds": read.number(f"{PREFIX}MAX_STREAM_SECONDS", 0, 0, 900) or None,
        "error_statuses": _statuses(read),
        "url_cors": read.flag(f"{PREFIX}URL_CORS"),
        "empty_body": _EMPTY_BODIES[read.choice(f"{PREFIX}EMPTY_BODY", tuple(_EMPTY_BODIES))],
    }


def _check(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def _statuses(read: EnvironReader) -> tuple[range, ...]:
    """`500-599,403` as ranges, the form of the Lambda Web Adapter's AWS_LWA_ERROR_STATUS_CODES."""
    name = f"{PREFIX}ERROR_STATUS"
    text = read.optional(name)
    if text is None:
        return ()
    if not _STATUSES.fullmatch(text):
        raise read.invalid(name, "statuses and ranges of them, as in 500-599,403")
    bounds = [[int(bound) for bound in part.split("-")] for part in text.split(",")]
    return tuple(range(each[0], each[-1] + 1) for each in bounds)
