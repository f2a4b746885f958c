from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from local_aws.lambda_side.doors.http_request import HttpRequest
from local_aws.lambda_side.function_url.events import function_url_event

ROOT = "1-6b012333-95837e9e5dc74574d39297f7"


def event(**given: Any) -> dict[str, Any]:
    request = HttpRequest(
        **{
            "method": "GET",
            "target": "/stream",
            "headers": [("host", "local"), ("user-agent", "test")],
            "body": b"",
            "source_ip": "127.0.0.1",
            **given,
        }
    )
    made: dict[str, Any] = json.loads(
        function_url_event(
            request, request_id="id", trace_header=f"Root={ROOT}", received_at=1577836800.5
        )
    )
    return made


def test_a_plain_request() -> None:
    made = event()
    assert {"version": "2.0", "routeKey": "$default", "rawPath": "/stream"}.items() <= (
        made.items()
    )
    assert made["headers"] == {
        "host": "local",
        "user-agent": "test",
        "x-amzn-trace-id": f"Root={ROOT}",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    context = made["requestContext"]
    assert context["http"] == {
        "method": "GET",
        "path": "/stream",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "test",
    }
    assert (context["accountId"], context["stage"]) == ("anonymous", "$default")
    assert (context["time"], context["timeEpoch"]) == (
        "01/Jan/2020:00:00:00 +0000",
        1577836800500,
    )
    assert made["isBase64Encoded"] is False
    assert not {"body", "cookies", "queryStringParameters"} & made.keys()


def test_repeated_headers_and_parameters_are_joined() -> None:
    made = event(target="/?a=1&b=&a=%2C", headers=[("x", "1"), ("x", "2")])
    assert made["headers"]["x"] == "1,2"
    assert made["queryStringParameters"] == {"a": "1,,", "b": ""}


@pytest.mark.parametrize(
    ("content_type", "body", "is_text"),
    [
        ("application/json", b"{}", True),
        ("text/plain; charset=utf-8", "é".encode(), True),
        ("text/plain", b"\xff", False),
        ("application/x-www-form-urlencoded", b"a=1", False),
        ("", b"a", False),
    ],
)
def test_bodies_that_are_no_text_are_base64(content_type: str, body: bytes, is_text: bool) -> None:
    made = event(body=body, headers=[("content-type", content_type)])
    assert made["isBase64Encoded"] is not is_text
    given = made["body"].encode() if is_text else base64.b64decode(made["body"])
    assert given == body


@pytest.mark.parametrize(
    "signed",
    [
        {
            "headers": [
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=alice/20260101/us-east-1/lambda/aws4_request"
                    ", SignedHeaders=host, Signature=0",
                )
            ]
        },
        {
            "target": "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
            "alice%2F20260101%2Fus-east-1%2Flambda%2Faws4_request&X-Amz-Signature=0"
        },
    ],
    ids=["header", "presigned"],
)
def test_a_signature_names_its_caller(signed: dict[str, Any]) -> None:
    iam = event(**signed)["requestContext"]["authorizer"]["iam"]
    assert iam["userArn"] == "arn:aws:iam::123456789012:user/alice"
    assert (iam["accessKey"], iam["accountId"]) == ("alice", "123456789012")
