"""Why a step or an AWS request failed, as X-Ray should show it.

An app's exceptions are read by duck typing, so that tracing depends on no app. See `AwsFailure`
for the attributes that an exception may carry; botocore's `ClientError` is understood as it is.
"""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

CONDITION_FAILED = "ConditionalCheckFailedException"
"""A conditional write that lost its race: an expected answer, no failure."""

THROTTLES = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ThrottledException",
        "TooManyRequestsException",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "SlowDown",
    }
)

_MAX_TEXT_LENGTH = 500
_SIGNED_REQUEST = re.compile(r"(?:The )?Canonical|Authorization header|x-amz-security-token")
_MAX_MESSAGE_LENGTH = 1000
_MAX_TYPE_LENGTH = 100
_MAX_CHAIN = 5
_CAUSES_KEPT = 2
_MAX_FOLLOWED = 100
_MAX_STACK_LENGTH = 6000
"""A document may have 64 KB; the last frames of a stack say where it happened."""


class AwsFailure(Protocol):
    """What an app's exception may say about itself. Both attributes are optional: an exception
    with neither is a fault, named after its class.

    `aws_error_code` becomes the step's `error_type`, as an operator would search for it.
    `is_fault` is False for what X-Ray should show without the fault flag, such as a throttle.
    """

    aws_error_code: str
    is_fault: bool


@dataclass(frozen=True, slots=True)
class ExceptionRecord:
    """One exception of a chain. `place` is file:line of its last frame."""

    type: str
    message: str
    stack: str
    place: str


@dataclass(frozen=True, slots=True)
class Failure:
    """`chain` holds the cause first, since the collector's exporter drops the type and message of
    a chained cause. `is_fault` is False for errors that AWS answers with 4xx."""

    chain: tuple[ExceptionRecord, ...]
    error_type: str
    is_fault: bool

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        error_type, is_fault = _classified(error)
        return cls(tuple(map(_record, _chain(error))), error_type, is_fault)

    @classmethod
    def of_answer(cls, operation: str, code: str | None, message: str, status: int) -> Failure:
        """An AWS service answered `operation` with an error."""
        error_type = _encodable((code or f"HTTP {status}")[:_MAX_TYPE_LENGTH])
        record = ExceptionRecord(error_type, _cut(first_line(message)), "", operation)
        return cls((record,), error_type, is_fault=status >= 500)


def is_throttle(code: str, status: int) -> bool:
    """Most of AWS's throttles have status 400; only the code tells them from other errors."""
    return code in THROTTLES or status == 429


def without_signed_request(text: str) -> str:
    """Cuts off the request that AWS quotes when a signature is wrong, session token included."""
    return _SIGNED_REQUEST.split(text, maxsplit=1)[0]


def first_line(text: str) -> str:
    """The part of an AWS error's text that may be recorded: its first line, without a quoted
    request. The rest may be the signed request, or any page that a proxy answered with."""
    return without_signed_request(text.partition("\n")[0].partition("\r")[0]).strip()[
        :_MAX_TEXT_LENGTH
    ]


def aws_answer(error: BaseException) -> Mapping[str, Any] | None:
    """The answer inside botocore's `ClientError`; None for any other exception."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping) and isinstance(response.get("Error"), Mapping):
        return response
    return None


def answer_status(answer: Mapping[str, Any]) -> int | None:
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None


def _classified(error: BaseException) -> tuple[str, bool]:
    """(error type, whether it is a fault)."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return type(error).__name__, False  # cancelled from outside, not failed
    code, is_fault = getattr(error, "aws_error_code", None), getattr(error, "is_fault", None)
    answer = _answer_behind(error)
    if answer is not None:
        code = code or answer["Error"].get("Code")
        is_fault = (
            is_fault if is_fault is not None else not 400 <= (answer_status(answer) or 0) < 500
        )
    name = code if isinstance(code, str) and code else type(error).__name__
    return _encodable(name[:_MAX_TYPE_LENGTH]), is_fault is not False


def _answer_behind(error: BaseException) -> Mapping[str, Any] | None:
    """AWS's answer that the error was raised from. Only explicit causes count: a defect in an
    `except ClientError` block is a defect."""
    current: BaseException | None = error
    for _ in range(_MAX_FOLLOWED):
        if current is None:
            break
        if (answer := aws_answer(current)) is not None:
            return answer
        current = current.__cause__
    return None


def _chain(error: BaseException) -> list[BaseException]:
    """What led to the error, cause first, followed as Python's own traceback does.

    A group's first member counts as a cause too. A chain that is too long loses its middle: the
    root cause and the outermost errors say the most.
    """
    found: list[BaseException] = []
    ahead: list[BaseException] = [error]
    while ahead and len(found) < _MAX_FOLLOWED:
        current = ahead.pop()
        if any(current is known for known in found):
            continue
        found.append(current)
        if current.__cause__ is not None:
            ahead.append(current.__cause__)
        elif current.__context__ is not None and not current.__suppress_context__:
            ahead.append(current.__context__)
        if isinstance(current, BaseExceptionGroup):
            ahead.append(current.exceptions[0])
    found.reverse()
    if len(found) <= _MAX_CHAIN:
        return found
    return found[:_CAUSES_KEPT] + found[_CAUSES_KEPT - _MAX_CHAIN :]


def _record(error: BaseException) -> ExceptionRecord:
    frames = traceback.extract_tb(error.__traceback__)
    type_name, message = _type_name(error), _message(error)
    # Not TracebackException's text: it repeats the whole message, which may quote a request.
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames)]
    stack = "".join(lines) + f"{type_name}: {message}\n"
    return ExceptionRecord(
        type=type_name,
        message=message,
        stack=_encodable(stack[-_MAX_STACK_LENGTH:]),
        place=f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "",
    )


def _type_name(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    return name[-_MAX_TYPE_LENGTH:]


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as defect:
        # It must not become the error that ends the stream.
        return f"str() of it raised {type(defect).__name__}"
    is_aws = type(error).__module__.startswith("botocore") or aws_answer(error) is not None
    return _cut(first_line(text) if is_aws else without_signed_request(text))


def _cut(message: str) -> str:
    return _encodable(message[:_MAX_MESSAGE_LENGTH])


def _encodable(text: str) -> str:
    """Without lone surrogates: protobuf refuses them, and with them the whole batch."""
    return text.encode("utf-8", "replace").decode()
