"""The event that a REST API makes of an HTTP request: Lambda proxy integration, format 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html

The API has the resources / and /{proxy+}, and the binary media type */*, as an app of any kind
needs: every body comes as base64. `path` stays as it was sent and lacks the stage; query parameters
come decoded; of a repeated name the last value stands in the plain maps.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from local_aws.account import ACCOUNT_ID, REGION
from local_aws.lambda_side.doors.http_request import HttpRequest, lists, log_time
from local_aws.lambda_side.doors.invoker import Arrival
from local_aws.lambda_side.doors.signature import signing_user

API_ID = "localrest0"
DOMAIN_NAME = f"{API_ID}.execute-api.{REGION}.amazonaws.com"
_NOT_PASSED_ON = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
_IDENTITY = (
    *("accessKey", "accountId", "caller", "cognitoAuthenticationProvider"),
    *("cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId"),
    *("principalOrgId", "user", "userAgent", "userArn"),
)


def rest_api_event(request: HttpRequest, arrival: Arrival, *, stage: str, path: str) -> bytes:
    """`path` is the request's, without its stage."""
    resource = "/" if path == "/" else "/{proxy+}"
    sent = request.joined_headers
    headers = [
        *((name, value) for name, value in request.headers if name not in _NOT_PASSED_ON),
        *([] if "x-amzn-trace-id" in sent else [("X-Amzn-Trace-Id", f"Root={arrival.trace.root}")]),
        ("X-Forwarded-For", request.source_ip),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ]
    query = request.query_pairs
    body, is_base64 = request.body_as_base64()
    event: dict[str, Any] = {
        "resource": resource,
        "path": path,
        "httpMethod": request.method,
        "headers": dict(headers),
        "multiValueHeaders": lists(headers),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": lists(query) or None,
        "pathParameters": None if path == "/" else {"proxy": unquote(path[1:])},
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": API_ID,
            "deploymentId": "local0",
            "domainName": DOMAIN_NAME,
            "domainPrefix": API_ID,
            "extendedRequestId": arrival.request_id,
            "httpMethod": request.method,
            "identity": _identity(request, sent),
            "path": f"/{stage}{path}",
            "protocol": request.protocol,
            "requestId": arrival.request_id,
            "requestTime": log_time(arrival.received_at),
            "requestTimeEpoch": int(arrival.received_at * 1000),
            "resourceId": "local0",
            "resourcePath": resource,
            "stage": stage,
        },
        "body": body or None,
        "isBase64Encoded": is_base64,
    }
    return json.dumps(event, separators=(",", ":")).encode()


def _identity(request: HttpRequest, headers: dict[str, str]) -> dict[str, str | None]:
    identity: dict[str, str | None] = dict.fromkeys(_IDENTITY)
    identity |= {"sourceIp": request.source_ip, "userAgent": headers.get("user-agent")}
    user = signing_user(headers, request.query)
    if user is not None:
        identity |= {
            "accessKey": user,
            "accountId": ACCOUNT_ID,
            "caller": f"AIDALOCAL{user.upper()}",
            "user": f"AIDALOCAL{user.upper()}",
            "userArn": f"arn:aws:iam::{ACCOUNT_ID}:user/{user}",
        }
    return identity
