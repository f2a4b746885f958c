"""The error tree. A name says whose fault it is; a message says what was given and what to do.

Nothing in a message may hold a secret, a token or a query string: messages reach logs, spans and
answers.
"""

from __future__ import annotations

from collections.abc import Mapping


class SseStreamingError(Exception):
    """Every error this package raises on purpose."""


class SettingsError(SseStreamingError):
    """The deployment's environment variables are wrong: init fails with this."""


class RequestError(SseStreamingError):
    """The client asked for something it cannot have: answered with `status`, never an alarm."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.headers = headers or {}
        self.status = status
        self.code = code
        self.message = message


class AwsError(SseStreamingError):
    """An AWS service did not do what was asked. `code` is AWS's error code or a word of ours.

    `aws_error_code` and `is_fault` are what the tracing reads (tracing/failures.py).
    """

    is_fault = True

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = self.aws_error_code = code


class AwsUnavailable(AwsError):
    """Passing: throttled, timed out, not reachable, or a 5xx. The same call may work later."""


class AwsThrottled(AwsUnavailable):
    """Passing, and answered with a 4xx: the table's or the account's limit was reached."""

    is_fault = False


class AwsRefused(AwsError):
    """Permanent until somebody changes the deployment: denied, no such table, invalid request."""

    is_fault = False
