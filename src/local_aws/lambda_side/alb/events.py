"""The event that a load balancer makes of an HTTP request.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html

Path and query stay percent-encoded. Whether a repeated name keeps all its values is an attribute of
the target group; without it the last value counts.
"""

from __future__ import annotations

import json
from typing import Any

from local_aws.account import ACCOUNT_ID, REGION
from local_aws.lambda_side.doors.http_request import HttpRequest, Pairs, lists
from local_aws.lambda_side.doors.invoker import Arrival

TARGET_GROUP_ARN = (
    f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT_ID}:targetgroup/local/0000000000000000"
)
_NOT_PASSED_ON = frozenset({"connection", "keep-alive", "transfer-encoding", "x-forwarded-for"})


def alb_event(request: HttpRequest, arrival: Arrival, *, multi_value: bool) -> bytes:
    sent = request.joined_headers
    forwarded_for = [sent["x-forwarded-for"]] if "x-forwarded-for" in sent else []
    headers: Pairs = [
        *((name, value) for name, value in request.headers if name not in _NOT_PASSED_ON),
        ("x-forwarded-for", ", ".join([*forwarded_for, request.source_ip])),
        ("x-forwarded-port", "443"),
        ("x-forwarded-proto", "https"),
    ]
    if "x-amzn-trace-id" not in sent:
        headers.append(("x-amzn-trace-id", f"Root={arrival.trace.root}"))
    query = [
        (name, value) for name, _, value in (one.partition("=") for one in request.query.split("&"))
    ]
    query = [pair for pair in query if pair != ("", "")]
    # Text that is compressed is no text.
    is_compressed = "content-encoding" in sent
    body, is_base64 = request.body_as_base64() if is_compressed else request.body_as_text()
    event: dict[str, Any] = {
        "requestContext": {"elb": {"targetGroupArn": TARGET_GROUP_ARN}},
        "httpMethod": request.method,
        "path": request.path,
        "body": body,
        "isBase64Encoded": is_base64,
    }
    if multi_value:
        event["multiValueHeaders"] = lists(headers)
        event["multiValueQueryStringParameters"] = lists(query)
    else:
        event["headers"] = dict(headers)
        event["queryStringParameters"] = dict(query)
    return json.dumps(event, separators=(",", ":")).encode()
