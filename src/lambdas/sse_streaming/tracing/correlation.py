"""Request id, trace id and span id in every log line of an invocation, whoever writes it.

Powertools' formatter puts its keys into each line that its handler writes, from any thread, and
reads the trace id from the environment. So the package's own loggers write through that handler
too, and the keys are right from the moment an invocation is there until it is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from lambdas.sse_streaming.tracing.header import is_root

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_PACKAGE = "lambdas.sse_streaming"
_REQUEST_ID = "function_request_id"
_TRACE_ID = "xray_trace_id"
"""Powertools' names for them."""


class LogCorrelation:
    """The ids of the invocation at hand, kept in the logger's keys."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        formatter = logger.registered_formatter
        if isinstance(formatter, LambdaPowertoolsFormatter):
            formatter.json_serializer = _with_true_trace_id(formatter.json_serializer)
        package = logging.getLogger(_PACKAGE)
        package.handlers = [logger.registered_handler]
        package.setLevel(logger.log_level)
        package.propagate = False  # the managed runtime's own handler would write it again

    def begin(self, request_id: str) -> None:
        """An invocation has come; it has no span of ours yet."""
        self._logger.append_keys(**{_REQUEST_ID: request_id, "span_id": None})

    def bind_span(self, span_id: str | None) -> None:
        """What happens from now on happens inside this span; None where nothing records."""
        self._logger.append_keys(span_id=span_id)

    def forget(self) -> None:
        """The invocation is over: what is logged before the next belongs to neither."""
        self._logger.remove_keys([_REQUEST_ID, "span_id"])


def _with_true_trace_id(serialize: Callable[[Any], str]) -> Callable[[Any], str]:
    """Powertools takes the header's first pair for the root, whatever the caller put there
    (aws_lambda_powertools/logging/formatter.py, _get_latest_trace_id, 3.37.0)."""

    def serialize_line(line: Any) -> str:
        if not is_root(str(line.get(_TRACE_ID))):
            line.pop(_TRACE_ID, None)
        return serialize(line)

    return serialize_line
