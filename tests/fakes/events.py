"""Events as Lambda gets them, whole, from every front door.

After the samples in the developer guides of Lambda, API Gateway and Elastic Load Balancing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

ACCOUNT = "123456789012"
RECEIVED_MS = 1795236967000
"""When the front door received the request, by its own clock."""


def function_url_event(
    method: str = "GET",
    path: str = "/stream",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    user_arn: str | None = None,
) -> dict[str, Any]:
    """`query` percent-encoded; `user_arn` as a Function URL with AuthType AWS_IAM passes it."""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "sec-fetch-mode": "cors",
            "x-amzn-tls-version": "TLSv1.3",
            "x-amzn-trace-id": "Root=1-6b012467-bd862e3fe1be46a994272793",
            "x-forwarded-proto": "https",
            "host": "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws",
            "x-forwarded-port": "443",
            "x-forwarded-for": "198.51.100.7",
            "accept": "text/event-stream",
            "accept-encoding": "gzip, deflate, br",
            "cache-control": "no-cache",
            "user-agent": "Mozilla/5.0",
            **(headers or {}),
        },
        "requestContext": {
            "accountId": "anonymous" if user_arn is None else ACCOUNT,
            "apiId": "abcdefghijklmnopqrstuvwxyz012345",
            "domainName": "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws",
            "domainPrefix": "abcdefghijklmnopqrstuvwxyz012345",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "198.51.100.7",
                "userAgent": "Mozilla/5.0",
            },
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
            "routeKey": "$default",
            "stage": "$default",
            "time": "21/Nov/2026:04:56:07 +0000",
            "timeEpoch": RECEIVED_MS,
        },
        "isBase64Encoded": False,
    }
    if user_arn is not None:
        event["requestContext"] |= {
            "authentication": None,
            "authorizer": {
                "iam": {
                    "accessKey": "AKIAIOSFODNN7EXAMPLE",
                    "accountId": ACCOUNT,
                    "callerId": "AIDACKCEVSQ6C2EXAMPLE",
                    "cognitoIdentity": None,
                    "principalOrgId": "o-a1b2c3d4e5",
                    "userArn": user_arn,
                    "userId": "AIDACKCEVSQ6C2EXAMPLE",
                }
            },
        }
    if query:
        parameters: dict[str, str] = {}
        for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
            parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
        event["queryStringParameters"] = parameters
    return event


def rest_api_event(
    method: str = "GET",
    path: str = "/stream",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    user_arn: str | None = None,
) -> dict[str, Any]:
    """A REST API's proxy integration; `query` percent-encoded, decoded by API Gateway."""
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    many: dict[str, list[str]] = {}
    for name, value in pairs:
        many.setdefault(name, []).append(value)
    all_headers = {
        "Accept": "text/event-stream",
        "Host": "70ixmpl4fl.execute-api.eu-west-1.amazonaws.com",
        "User-Agent": "Mozilla/5.0",
        "X-Amzn-Trace-Id": "Root=1-6b012467-bd862e3fe1be46a994272793",
        "X-Forwarded-For": "198.51.100.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        **(headers or {}),
    }
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": all_headers,
        "multiValueHeaders": {name: [value] for name, value in all_headers.items()},
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": many or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourceId": "2gxmpl",
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "extendedRequestId": "JJbxmplHYosFVYQ=",
            "requestTime": "21/Nov/2026:04:56:07 +0000",
            "path": f"/Prod{path}",
            "accountId": ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": "Prod",
            "domainPrefix": "70ixmpl4fl",
            "requestTimeEpoch": RECEIVED_MS,
            "requestId": "77375676-xmpl-4b79-853a-f982474efe18",
            "identity": {
                "cognitoIdentityPoolId": None,
                "accountId": ACCOUNT if user_arn else None,
                "cognitoIdentityId": None,
                "caller": None,
                "sourceIp": "198.51.100.7",
                "principalOrgId": None,
                "accessKey": None,
                "cognitoAuthenticationType": None,
                "cognitoAuthenticationProvider": None,
                "userArn": user_arn,
                "userAgent": "Mozilla/5.0",
                "user": None,
            },
            "domainName": "70ixmpl4fl.execute-api.eu-west-1.amazonaws.com",
            "apiId": "70ixmpl4fl",
        },
        "body": None,
        "isBase64Encoded": False,
    }


def http_api_event(
    method: str = "GET",
    path: str = "/items",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    *,
    stage: str = "$default",
) -> dict[str, Any]:
    """Payload 2.0. `path` as API Gateway writes it: decoded, and with a named stage."""
    event = function_url_event(method, path, query, headers)
    domain_name = "70ixmpl4fl.execute-api.eu-west-1.amazonaws.com"
    event["headers"]["host"] = domain_name
    event["requestContext"] |= {
        "accountId": ACCOUNT,
        "apiId": "70ixmpl4fl",
        "domainName": domain_name,
        "domainPrefix": "70ixmpl4fl",
        "stage": stage,
    }
    return event


def http_api_event_1_0(
    method: str = "GET",
    path: str = "/items",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    *,
    stage: str = "$default",
) -> dict[str, Any]:
    """Payload 1.0. `path` as API Gateway writes it: decoded, and with a named stage."""
    event = rest_api_event(method, path, query, headers)
    event["requestContext"] |= {
        "path": path,
        "resourceId": "ANY /{proxy+}",
        "stage": stage,
    }
    return {"version": "1.0", **event}


def alb_event(
    method: str = "GET",
    path: str = "/items",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    *,
    multi_value: bool = False,
) -> dict[str, Any]:
    """An Application Load Balancer's; `query` percent-encoded, and passed on as it is."""
    many: dict[str, list[str]] = {}
    for parameter in query.split("&") if query else ():
        name, _, value = parameter.partition("=")
        many.setdefault(name, []).append(value)
    all_headers = {
        "accept": "text/html",
        "host": "lambda-846800462.eu-west-1.elb.amazonaws.com",
        "user-agent": "Mozilla/5.0",
        "x-amzn-trace-id": "Root=1-6b012467-bd862e3fe1be46a994272793",
        "x-forwarded-for": "198.51.100.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
        **(headers or {}),
    }
    target_group = f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:targetgroup/app/6d0ecf831eec9"
    return {
        "requestContext": {"elb": {"targetGroupArn": target_group}},
        "httpMethod": method,
        "path": path,
        **(
            {
                "multiValueQueryStringParameters": many,
                "multiValueHeaders": {name: [value] for name, value in all_headers.items()},
            }
            if multi_value
            else {
                "queryStringParameters": {name: values[-1] for name, values in many.items()},
                "headers": all_headers,
            }
        ),
        "body": "",
        "isBase64Encoded": False,
    }


def bare_event(
    method: str = "GET",
    path: str = "/items",
    query: str = "",
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """As somebody writes it for `aws lambda invoke`."""
    return {
        "httpMethod": method,
        "path": path,
        "headers": dict(headers or {}),
        "queryStringParameters": dict(parse_qsl(query, keep_blank_values=True)),
    }


def as_bytes(event: object) -> bytes:
    return json.dumps(event).encode()
