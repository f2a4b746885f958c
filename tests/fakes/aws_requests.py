"""AWS requests as the tracing sees them."""

from __future__ import annotations

from lambda_streaming.tracing.failures import CONDITION_FAILED, Failure
from lambda_streaming.tracing.step import AwsRequest

SERVICE_IDS = {"dynamodb": "DynamoDB", "monitoring": "CloudWatch"}


def aws_request(
    started_ns: int,
    ended_ns: int,
    *,
    name: str = "Query",
    service: str = "dynamodb",
    region: str = "eu-west-1",
    status: int | None = 200,
    request_id: str | None = "REQ1",
    table: str | None = "items",
    error_code: str | None = None,
    error_message: str = "",
    error: Exception | None = None,
) -> AwsRequest:
    """One AWS request, as the seam records it."""
    is_expected = error_code == CONDITION_FAILED
    failure = None
    if error is not None:
        failure = Failure.of(error)
    elif status is not None and status >= 400 and not is_expected:
        failure = Failure.of_answer(name, error_code, error_message, status)
    return AwsRequest(
        service_id=SERVICE_IDS[service],
        service=service,
        operation=name,
        region=region,
        started_ns=started_ns,
        ended_ns=ended_ns,
        status=None if is_expected else status,
        request_id=request_id,
        table=table,
        failure=failure,
    )
