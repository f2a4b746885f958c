"""What AWS's errors are to a trace, and how much of their text may be told."""

from __future__ import annotations

import re

CONDITION_FAILED = "ConditionalCheckFailedException"
"""A conditional write that lost its race: an answer like any other."""

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
_REQUEST_QUOTED = re.compile(r"[\r\n]|(?:The )?Canonical|Authorization header|x-amz-security-token")


def is_throttle(code: str, status: int) -> bool:
    """Most of AWS's throttles are a 400, told from others by their code."""
    return code in THROTTLES or status == 429


def first_line(text: str) -> str:
    """As much of an error's text as may be told. AWS answers a wrong signature with the request
    as it was signed, session token included, behind the first line; a body that is no answer of
    AWS's may be anybody's page."""
    return _REQUEST_QUOTED.split(text, maxsplit=1)[0].strip()[:_MAX_TEXT_LENGTH]
