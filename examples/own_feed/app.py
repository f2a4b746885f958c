"""The jobs of a table as they progress, each tenant's for itself.

An item is a job: `job_id` (the table's key), `tenant`, `updated_at` in epoch milliseconds, `state`,
and whatever else its event should say. Whoever writes it raises `updated_at` each time.
"""

from __future__ import annotations

import re

from lambda_streaming import Request
from lambdas.sse_streaming import Caller, FeedSchema, Filter, feed

_USER = re.compile(r"arn:[a-z-]+:iam::\d{12}:user/(?:.+/)?([\w+=,.@-]{1,64})")


def tenant(request: Request) -> str | None:
    """The name of the IAM user who signed the request, which the front door has checked. Anybody
    else has no feed, and is answered with 403."""
    user = _USER.fullmatch(request.caller_arn or "")
    return user[1] if user else None


handler = feed(
    FeedSchema(
        event="job",
        partition="tenant",
        chosen_by=Caller(tenant),
        time="updated_at",
        item_id="job_id",
        filters=(Filter("state", values=("queued", "running", "done", "failed")),),
    )
)
