"""Request id, trace id and span id in every log line of an invocation, whoever writes it.

Powertools' formatter puts its keys into each line that its handler writes, from any thread, and
reads the trace id from the environment. So the package's own loggers write through that handler
too, and the keys are right from the moment an invocation is there until it is over.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_PACKAGE = "lambdas.sse_streaming"
_REQUEST_ID = "function_request_id"
"""Powertools' name for it."""


class LogCorrelation:
    """The ids of the invocation at hand, kept in the logger's keys."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
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
