"""AWS error codes, and as much of an AWS error's text as a record may hold."""

from __future__ import annotations

import re

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
