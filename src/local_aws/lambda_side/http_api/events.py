"""The event that an HTTP API makes of an HTTP request: payload format 2.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

Unlike a Function URL's it has its path decoded, and ends it at a question mark that was encoded
(events captured on AWS: https://github.com/hotsock/voker/issues/8). The route and the stage are
$default, so no stage stands before the path.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from local_aws.account import ACCOUNT_ID, REGION
from local_aws.lambda_side.doors.http_request import HttpRequest, joined, log_time
from local_aws.lambda_side.doors.invoker import Arrival
from local_aws.lambda_side.doors.signature import iam_caller, signing_user

API_ID = "localhttp0"
DOMAIN_NAME = f"{API_ID}.execute-api.{REGION}.amazonaws.com"
_DEFAULT = "$default"
_NOT_PASSED_ON = frozenset({"cookie", "connection", "keep-alive", "transfer-encoding"})


def http_api_event(request: HttpRequest, arrival: Arrival) -> bytes:
    headers = request.joined_headers
    path = unquote(request.path).partition("?")[0]
    body, is_base64 = request.body_as_text()
    context: dict[str, Any] = {
        "accountId": ACCOUNT_ID,
        "apiId": API_ID,
        "domainName": DOMAIN_NAME,
        "domainPrefix": API_ID,
        "http": {
            "method": request.method,
            "path": path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": arrival.request_id,
        "routeKey": _DEFAULT,
        "stage": _DEFAULT,
        "time": log_time(arrival.received_at),
        "timeEpoch": int(arrival.received_at * 1000),
    }
    user = signing_user(headers, request.query)
    if user is not None:
        context["authorizer"] = {"iam": iam_caller(user)}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": _DEFAULT,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": {
            **{name: value for name, value in headers.items() if name not in _NOT_PASSED_ON},
            "x-amzn-trace-id": headers.get("x-amzn-trace-id", f"Root={arrival.trace.root}"),
            "x-forwarded-for": request.source_ip,
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": context,
        "isBase64Encoded": is_base64,
    }
    if request.cookies:
        event["cookies"] = request.cookies
    if request.query:
        event["queryStringParameters"] = joined(request.query_pairs)
    if body:
        event["body"] = body
    return json.dumps(event, separators=(",", ":")).encode()
