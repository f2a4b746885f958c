"""What a caller of Invoke learns of a function that failed.

The texts are those that AWS answers with; see the Lambda developer guide, "Troubleshoot invocation
issues in Lambda".
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from local_aws.lambda_side.invocation import Invocation, Outcome
from local_aws.lambda_side.runtime_api import MAX_PAYLOAD_BYTES

_TYPE_TRAILER = "lambda-runtime-function-error-type"
_BODY_TRAILER = "lambda-runtime-function-error-body"


@dataclass(frozen=True, slots=True)
class FunctionError:
    code: str
    payload: bytes


def function_error(
    invocation: Invocation, outcome: Outcome, *, timeout_seconds: float
) -> FunctionError:
    """Of an invocation that gave no whole response."""
    if invocation.error_body:
        return FunctionError(invocation.error_type or "Unhandled", invocation.error_body)
    request = f"RequestId: {invocation.request_id} Error: "
    match outcome:
        case Outcome.TIMED_OUT:
            seconds = f"{timeout_seconds:.2f}"
            return _error("Sandbox.Timedout", f"{request}Task timed out after {seconds} seconds")
        case Outcome.TOO_LARGE:
            return _error(
                "Function.ResponseSizeTooLarge",
                "Response payload size exceeded maximum allowed payload size"
                f" ({MAX_PAYLOAD_BYTES} bytes).",
            )
        case Outcome.EXITED:
            return _error("Runtime.ExitError", f"{request}Runtime exited")
        case _:
            return _error(invocation.error_type or "Runtime.Unknown", f"{request}{outcome.value}")


def error_in_trailers(invocation: Invocation) -> FunctionError | None:
    """Of a function that failed while it streamed."""
    code = invocation.trailers.get(_TYPE_TRAILER)
    if code is None:
        return None
    try:
        details = binascii.a2b_base64(invocation.trailers.get(_BODY_TRAILER, ""), strict_mode=True)
    except binascii.Error:
        details = b""
    return FunctionError(code, details)


def _error(code: str, message: str) -> FunctionError:
    payload = json.dumps({"errorType": code, "errorMessage": message}).encode()
    return FunctionError(code, payload)


def log_result(text: str) -> str:
    """The last 4 KB of the invocation's log, in base64."""
    return base64.b64encode(text.encode()[-4096:]).decode()
