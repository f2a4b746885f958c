"""Request id, trace id and span id in every log line of an invocation, whoever writes it.

Powertools' Logger keeps one set of keys per process, and takes the trace id from the process
environment (aws_lambda_powertools/logging/formatter.py, 3.37.0). Here both belong to the
invocation that the line is written in. Loggers that know nothing of Powertools, the runtime's and
the tracing's, write through its handler too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging.formatter import (
    LambdaPowertoolsFormatter,
    clear_context_keys,
    set_context_keys,
)

from lambda_streaming.tracing.invocations import Invocations

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_REQUEST_ID = "function_request_id"
_TRACE_ID = "xray_trace_id"
"""Powertools' names for them."""


class LogCorrelation:
    """`packages` are the loggers whose lines go through `logger`'s handler too."""

    def __init__(self, logger: Logger, invocations: Invocations, packages: Iterable[str]) -> None:
        self._invocations = invocations
        formatter = logger.registered_formatter
        if isinstance(formatter, LambdaPowertoolsFormatter):
            formatter.json_serializer = self._with_ids(formatter.json_serializer)
            self._keep_keys_apart(formatter)
        for name in packages:
            package = logging.getLogger(name)
            package.handlers = [logger.registered_handler]
            package.setLevel(logger.log_level)
            package.propagate = False  # the managed runtime's own handler would write it again

    def bind_span(self, span_id: str | None) -> None:
        """From now on the invocation's lines belong to this span; None where none is recorded."""
        invocation = self._invocations.of_context()
        if invocation is not None:
            invocation.span_id = span_id

    def _with_ids(self, serialize: Callable[[Any], str]) -> Callable[[Any], str]:
        def serialize_line(line: Any) -> str:
            invocation = self._invocations.current()
            ids = (
                {}
                if invocation is None
                else {
                    _REQUEST_ID: invocation.request_id,
                    _TRACE_ID: invocation.header.root,
                    "span_id": invocation.span_id,
                }
            )
            for key in (_REQUEST_ID, _TRACE_ID, "span_id"):
                line.pop(key, None)
                if ids.get(key) is not None:
                    line[key] = ids[key]
            return serialize(line)

        return serialize_line

    def _keep_keys_apart(self, formatter: LambdaPowertoolsFormatter) -> None:
        """Keys that an invocation appends are its own: `append_keys`, `inject_lambda_context`."""
        append, remove, clear = formatter.append_keys, formatter.remove_keys, formatter.clear_state

        def append_keys(**keys: Any) -> None:
            (append if self._invocations.of_context() is None else set_context_keys)(**keys)

        def remove_keys(keys: Iterable[str]) -> None:
            if self._invocations.of_context() is None:
                remove(keys)
                return
            removed, before = set(keys), formatter.thread_safe_get_current_keys()
            clear_context_keys()  # Powertools' own would remove them from every copy of the context
            set_context_keys(**{key: before[key] for key in before if key not in removed})

        def clear_state() -> None:
            (clear if self._invocations.of_context() is None else clear_context_keys)()

        formatter.append_keys = append_keys  # type: ignore[method-assign]
        formatter.remove_keys = remove_keys  # type: ignore[method-assign]
        formatter.clear_state = clear_state  # type: ignore[method-assign]
