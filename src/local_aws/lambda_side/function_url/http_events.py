"""The event that a Function URL makes of an HTTP request: payload format 2.0.

After the Lambda developer guide, "Invoking Lambda function URLs". Paths and query strings stay as
sent (percent-encoded); only queryStringParameters is decoded.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from local_aws.account import ACCOUNT_ID, REGION

URL_ID = "localfunctionurl0000000000000000"
DOMAIN_NAME = f"{URL_ID}.lambda-url.{REGION}.on.aws"
_CREDENTIAL = re.compile(r"Credential=([\w+=,.@-]{1,128}?)/\d{8}/[^/]+/[^/]+/aws4_request")
_NOT_PASSED_ON = frozenset({"cookie", "connection", "keep-alive", "transfer-encoding"})
_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """`headers` in the order of arrival, names in lower case, repeated ones repeated."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    source_ip: str
    protocol: str = "HTTP/1.1"

    @property
    def joined_headers(self) -> dict[str, str]:
        joined: dict[str, str] = {}
        for name, value in self.headers:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        return joined


def function_url_event(
    request: HttpRequest, *, request_id: str, trace_header: str, received_at: float
) -> bytes:
    """`received_at` in epoch seconds; `trace_header` is the event's own X-Amzn-Trace-Id header, not
    the one that Lambda gives to the runtime.
    """
    path, _, query = request.target.partition("?")
    headers = request.joined_headers
    cookies = [
        cookie.strip()
        for name, value in request.headers
        if name == "cookie"
        for cookie in value.split(";")
    ]
    body, is_base64 = _body(request.body, headers.get("content-type", ""))
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
            "time": datetime.fromtimestamp(received_at, UTC).strftime("%d/%b/%Y:%H:%M:%S %z"),
            "timeEpoch": int(received_at * 1000),
        },
        "isBase64Encoded": is_base64,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = _query_parameters(query)
    if body:
        event["body"] = body
    return json.dumps(event, separators=(",", ":")).encode()


def _query_parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    if content_type.lower().startswith(_TEXT_TYPES):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), bool(body)


def _caller(headers: Mapping[str, str], query: str) -> dict[str, Any]:
    """The caller that a SigV4 signature names; the signature itself is not checked here."""
    user = _signing_user(headers, query)
    if user is None:
        return {"accountId": "anonymous"}
    return {
        "accountId": ACCOUNT_ID,
        "authentication": None,
        "authorizer": {
            "iam": {
                "accessKey": user,
                "accountId": ACCOUNT_ID,
                "callerId": f"AIDALOCAL{user.upper()}",
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": f"arn:aws:iam::{ACCOUNT_ID}:user/{user}",
                "userId": f"AIDALOCAL{user.upper()}",
            }
        },
    }


def _signing_user(headers: Mapping[str, str], query: str) -> str | None:
    authorization = headers.get("authorization", "")
    if authorization.startswith("AWS4-HMAC-SHA256 "):
        match = _CREDENTIAL.search(authorization)
    elif "X-Amz-Credential=" in query:
        match = _CREDENTIAL.search(unquote(query.replace("X-Amz-Credential", "Credential", 1)))
    else:
        match = None
    return match.group(1) if match else None
