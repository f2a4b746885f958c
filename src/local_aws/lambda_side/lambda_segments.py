"""The two X-Ray segments that the Lambda service itself records for an invocation.

AWS::Lambda spans the request; AWS::Lambda::Function, below it, spans the function's work and is the
parent of whatever the function records. See the X-Ray developer guide, "Segment documents", and the
Lambda developer guide, "Visualize Lambda function invocations using AWS X-Ray".
"""

from __future__ import annotations

from typing import Any

from local_aws.account import ACCOUNT_ID
from local_aws.lambda_side.invocation import Invocation, Outcome


def lambda_segments(invocation: Invocation) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both segments, the service's first; in progress until the invocation has finished.

    X-Ray replaces a segment in progress by the whole one of the same id.
    """
    trace, arn = invocation.trace, invocation.function_arn
    name = arn.rpartition(":")[2]
    service: dict[str, Any] = {
        "name": name,
        "id": trace.service_id,
        "trace_id": trace.root,
        "start_time": invocation.received_at,
        "origin": "AWS::Lambda",
        "resource_arn": arn,
        "aws": {"request_id": invocation.request_id},
    }
    if trace.upstream_id is not None:
        service["parent_id"] = trace.upstream_id
    function: dict[str, Any] = {
        "name": name,
        "id": trace.function_id,
        "trace_id": trace.root,
        "parent_id": trace.service_id,
        "start_time": invocation.started_at or invocation.received_at,
        "origin": "AWS::Lambda::Function",
        "aws": {
            "account_id": ACCOUNT_ID,
            "function_arn": arn,
            "request_id": invocation.request_id,
        },
    }
    if not invocation.finished_at:
        service["in_progress"] = function["in_progress"] = True
        return service, function
    failed = invocation.outcome is not Outcome.ANSWERED
    service["end_time"] = invocation.answered_at or invocation.finished_at
    service["http"] = {"response": {"status": invocation.status or (502 if failed else 200)}}
    function["end_time"] = invocation.finished_at
    if failed:
        service["fault"] = function["fault"] = True
    return service, function
