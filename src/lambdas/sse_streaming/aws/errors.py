"""AWS failures by what follows from them: transient, throttled, or permanent.

A message says what was given and what to do. AWS's own texts name accounts and roles: they reach
logs and spans only.
"""

from __future__ import annotations

import re

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9._]{0,63}")


class AwsError(Exception):
    """An AWS service did not do what was asked. `code` is AWS's error code or a word of ours;
    `message` may be AWS's own.

    `aws_error_code` and `is_fault` are what the tracing reads of an error.
    """

    is_fault = True

    meaning = "an AWS service did not do what was asked"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = self.aws_error_code = code

    @property
    def public_message(self) -> str:
        """For the client and the caller of the function: no names of accounts and roles."""
        code = self.code if _CODE.fullmatch(self.code) else "Unknown"
        return f"{code}: {self.meaning}; the function's log says more"


class AwsUnavailable(AwsError):
    """Transient: throttled, timed out, not reachable, or a 5xx. The same call may work later."""

    meaning = "an AWS service could not answer for now, and the same request may work later"


class AwsThrottled(AwsUnavailable):
    """Transient, and answered with a 4xx: the table's or the account's limit was reached."""

    is_fault = False


class AwsRefused(AwsError):
    """Permanent until somebody changes the deployment: denied, no such table, invalid request."""

    is_fault = False
    meaning = "AWS refuses what the function asks for until somebody changes its deployment"
