"""Lambda's own errors, as its SDKs read them.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class InvokeRefusedError(Exception):
    """Lambda refuses the call: the caller's fault, except for 429."""

    status: int
    error_type: str
    message: str
    more: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return json.dumps({**self.more, "Type": "User", "Message": self.message}).encode()


def not_found(function_arn: str, own_name: str) -> InvokeRefusedError:
    """AWS's text, and the name that would be found."""
    message = f"Function not found: {function_arn} (the local stack's function is {own_name})"
    return InvokeRefusedError(404, "ResourceNotFoundException", message)


def throttled() -> InvokeRefusedError:
    return InvokeRefusedError(
        429,
        "TooManyRequestsException",
        "Rate Exceeded.",
        {"Reason": "ConcurrentInvocationLimitExceeded"},
    )


def not_json(problem: str) -> InvokeRefusedError:
    return InvokeRefusedError(
        400,
        "InvalidRequestContentException",
        f"Could not parse request body into json: {problem}",
    )


def invalid(name: str, value: str, allowed: str) -> InvokeRefusedError:
    return InvokeRefusedError(
        400,
        "InvalidParameterValueException",
        f"Value '{value[:40]}' at '{name}' failed to satisfy constraint: {allowed}",
    )


def too_large(max_bytes: int) -> InvokeRefusedError:
    return InvokeRefusedError(
        413,
        "RequestTooLargeException",
        f"Request must be smaller than {max_bytes} bytes for the InvokeFunction operation",
    )


def no_such_path() -> InvokeRefusedError:
    return InvokeRefusedError(
        404,
        "UnknownOperationException",
        "This port has Invoke and InvokeWithResponseStream alone: POST /2015-03-31/functions/"
        "NAME/invocations or /2021-11-15/functions/NAME/response-streaming-invocations",
    )
