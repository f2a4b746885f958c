"""What the console's form may send."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.console.sending.form import BadFormError, read_form

URL = {"door": "function_url", "path": "/"}


def test_a_request_has_the_stage_the_headers_and_the_body_that_were_given() -> None:
    request = read_form(
        {
            "door": "rest_api_prod",
            "method": "POST",
            "path": "/items?limit=2",
            "headers": "Accept: text/plain\n\nx-a: 1:2 \n",
            "body": "é",
        }
    )
    assert (request.door, request.method, request.target) == (
        "rest_api",
        "POST",
        "/prod/items?limit=2",
    )
    assert request.headers == [("Accept", "text/plain"), ("x-a", "1:2")]
    assert request.body == "é".encode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "must be an object with door, method, path"),
        ({"path": "/"}, "door is missing"),
        ({"door": "alb"}, "path is missing"),
        ({**URL, "path": 1}, "path must be text"),
        ({**URL, "host": "example.com"}, "no field 'host'"),
        ({**URL, "door": "invoke_api"}, "no door 'invoke_api': one of function_url"),
        ({**URL, "method": "CONNECT"}, "no method 'CONNECT': one of GET"),
        ({**URL, "path": "items"}, "a path begins with /, not 'items'"),
        ({**URL, "path": "http://example.com/"}, "a path begins with /"),
        ({**URL, "path": "/a#b"}, "a fragment"),
        ({**URL, "path": "/käse 1?a=b%20c"}, "percent-encoded: /k%C3%A4se%201?a=b%20c"),
        ({**URL, "path": "/a HTTP/1.1\r\nX: y"}, "percent-encoded"),
        ({**URL, "path": "/" + "a" * 8_000}, "at most 8000 characters"),
        ({**URL, "headers": "a: b\nc"}, "header line 2 has no colon"),
        ({**URL, "headers": "a b: c"}, "header line 1: 'a b' is no header's name"),
        ({**URL, "headers": "Host: example.com"}, "Host cannot be given"),
        ({**URL, "headers": "transfer-encoding: chunked"}, "transfer-encoding cannot be given"),
        ({**URL, "headers": "a: \u20ac"}, "the value of a has characters"),
        ({**URL, "headers": "a: b\rc: d"}, "the value of a has characters"),
        ({**URL, "body": "\ud800"}, "half of a surrogate pair"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_what_is_wrong(value: Any, message: str) -> None:
    with pytest.raises(BadFormError) as refused:
        read_form(value)
    assert message in str(refused.value)


def test_a_refusal_repeats_no_header_value() -> None:
    for line in ("authorization Bearer-secret", "authorization: secret\x01"):
        with pytest.raises(BadFormError) as refused:
            read_form({**URL, "headers": line})
        assert "secret" not in str(refused.value)
