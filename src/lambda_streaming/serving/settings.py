"""How an app is served: `STREAMING_*` variables, each overridden by the argument of the handler."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lambda_streaming.doors.door import InvokeMode
from lambda_streaming.durations import check_seconds
from lambda_streaming.environ import EnvironReader, unknown_names
from lambda_streaming.runtime.framing import EMPTY_BODY

_STATUSES = re.compile(r"\s*[1-5]\d\d\s*(-\s*[1-5]\d\d\s*)?(,\s*[1-5]\d\d\s*(-\s*[1-5]\d\d\s*)?)*")
_LIFESPANS = ("auto", "on", "off")
_LOG_LEVELS = ("POWERTOOLS_LOG_LEVEL", "LOG_LEVEL", "AWS_LAMBDA_LOG_LEVEL")
"""In the order in which Powertools' Logger heeds the first two; the last is Lambda's."""
_EMPTY_BODIES = {"byte": EMPTY_BODY, "none": b""}

PREFIX = "STREAMING_"


@dataclass(frozen=True, slots=True)
class AppSettings:
    """`root_path` None is the front door's. `max_stream_seconds` None bounds event streams alone,
    by 300 seconds. An answer with one of `error_statuses` counts as a failed invocation. `url_cors`
    says that the Function URL answers for CORS itself. `close_table` is where pages leave the wish
    that their stream be closed, `empty_body` what is sent in place of a streamed body without
    content, as chunks. `log_level` is the one that the function's environment asks for.
    """

    invoke_mode: InvokeMode = InvokeMode.AUTO
    lifespan: str = "auto"
    root_path: str | None = None
    max_stream_seconds: float | None = None
    error_statuses: tuple[range, ...] = ()
    url_cors: bool = False
    close_table: str | None = None
    empty_body: bytes = EMPTY_BODY
    log_level: str | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], given: Mapping[str, Any]) -> AppSettings:
        """`given` are the handler's arguments (see check_arguments), None where one was left out.

        Raises SettingsError for a variable's value that is not valid.
        """
        own = {name: value for name, value in given.items() if value is not None}
        if "invoke_mode" in own:
            own["invoke_mode"] = InvokeMode(own["invoke_mode"])
        return replace(cls.read(EnvironReader(environ)), **own)

    @classmethod
    def read(cls, read: EnvironReader) -> AppSettings:
        return cls(
            invoke_mode=InvokeMode(read.choice(f"{PREFIX}INVOKE_MODE", tuple(InvokeMode))),
            lifespan=read.choice(f"{PREFIX}LIFESPAN", _LIFESPANS),
            root_path=read.optional(f"{PREFIX}ROOT_PATH"),
            max_stream_seconds=read.number(f"{PREFIX}MAX_STREAM_SECONDS", 0, 0, 900) or None,
            error_statuses=_statuses(read),
            url_cors=read.flag(f"{PREFIX}URL_CORS"),
            empty_body=_EMPTY_BODIES[read.choice(f"{PREFIX}EMPTY_BODY", tuple(_EMPTY_BODIES))],
            close_table=read.optional(f"{PREFIX}CLOSE_TABLE"),
            log_level=next(filter(None, map(read.optional, _LOG_LEVELS)), None),
        )

    def is_error(self, status: int) -> bool:
        return any(status in statuses for statuses in self.error_statuses)


def unknown_settings(environ: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """Variables that begin like a setting and are none, each with the one most like it."""
    return unknown_names(environ, PREFIX, _read_all)


def _read_all(read: EnvironReader) -> None:
    from lambda_streaming.tracing.settings import TracingSettings  # few apps have any setting

    AppSettings.read(read)
    TracingSettings.read(read)
    read.optional(f"{PREFIX}APP")  # of the entrypoint


def check_arguments(given: Mapping[str, Any]) -> None:
    """The settings among a handler's arguments. Raises ValueError for one that cannot be used."""
    for name, allowed in (("lifespan", _LIFESPANS), ("invoke_mode", tuple(InvokeMode))):
        value = given.get(name)
        if value is not None and value not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
    root_path, seconds = given.get("root_path"), given.get("max_stream_seconds")
    if not isinstance(root_path, str | None):
        raise ValueError(f"root_path must be a str, not {root_path!r}")
    if seconds is not None:
        check_seconds("max_stream_seconds", seconds)


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
