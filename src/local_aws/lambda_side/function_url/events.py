"""The event that a Function URL makes of an HTTP request: payload format 2.0.

After the Lambda developer guide, "Invoking Lambda function URLs". Paths and query strings stay as
sent (percent-encoded); only queryStringParameters is decoded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local_aws.account import ACCOUNT_ID, REGION
from local_aws.lambda_side.doors.http_request import HttpRequest, joined, log_time
from local_aws.lambda_side.doors.signature import iam_caller, signing_user

URL_ID = "localfunctionurl0000000000000000"
DOMAIN_NAME = f"{URL_ID}.lambda-url.{REGION}.on.aws"
_NOT_PASSED_ON = frozenset({"cookie", "connection", "keep-alive", "transfer-encoding"})


def function_url_event(
    request: HttpRequest, *, request_id: str, trace_header: str, received_at: float
) -> bytes:
    """`received_at` in epoch seconds; `trace_header` is the event's own X-Amzn-Trace-Id header, not
    the one that Lambda gives to the runtime.
    """
    path, query = request.path, request.query
    headers = request.joined_headers
    body, is_base64 = request.body_as_text()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            **{name: value for name, value in headers.items() if name not in _NOT_PASSED_ON},
            "x-amzn-trace-id": trace_header,
            "x-forwarded-for": request.source_ip,
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            **_caller(headers, query),
            "apiId": URL_ID,
            "domainName": DOMAIN_NAME,
            "domainPrefix": URL_ID,
            "http": {
                "method": request.method,
                "path": path,
                "protocol": request.protocol,
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent"),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": log_time(received_at),
            "timeEpoch": int(received_at * 1000),
        },
        "isBase64Encoded": is_base64,
    }
    if request.cookies:
        event["cookies"] = request.cookies
    if query:
        event["queryStringParameters"] = joined(request.query_pairs)
    if body:
        event["body"] = body
    return json.dumps(event, separators=(",", ":")).encode()


def _caller(headers: Mapping[str, str], query: str) -> dict[str, Any]:
    user = signing_user(headers, query)
    if user is None:
        return {"accountId": "anonymous"}
    return {
        "accountId": ACCOUNT_ID,
        "authentication": None,
        "authorizer": {"iam": iam_caller(user)},
    }
