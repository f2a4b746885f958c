"""The request id in log lines of the managed runtime's own format."""

from __future__ import annotations

import logging

from lambda_streaming.tracing.invocations import Invocations


class RequestIds(logging.Filter):
    """The managed runtime's log format has the request id in it, and knows of one invocation at a
    time (awslambdaric/bootstrap.py, LambdaLoggerFilter)."""

    def __init__(self, invocations: Invocations) -> None:
        super().__init__()
        self._invocations = invocations

    def filter(self, record: logging.LogRecord) -> bool:
        invocation = self._invocations.current()
        record.aws_request_id = "" if invocation is None else invocation.request_id
        return True


def add_request_ids(invocations: Invocations) -> None:
    """To the lines of every handler that the root logger has now."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(RequestIds(invocations))
