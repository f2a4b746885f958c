"""A Request as an ASGI scope."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_streaming.bridge.scope import http_scope
from lambda_streaming.requests import Pairs, Request


def scope_of(*headers: tuple[str, str], **fields: Any) -> dict[str, Any]:
    values = {"method": "GET", "raw_path": "/", "path": "/"} | fields
    request = Request(headers=Pairs(headers), **values)
    return dict(http_scope(request, state={}, deadline=None))


def test_every_key_of_the_http_scope_is_there() -> None:
    context, event = object(), {"version": "2.0"}
    request = Request(
        method="post",
        raw_path="/prod/caf%C3%A9",
        path="/prod/café",
        query_string="a=1&a=%2B",
        headers=Pairs([("host", "api.example.com"), ("x-a", "1"), ("x-a", "2")]),
        body=b"{}",
        root_path="/prod",
        client="198.51.100.7",
        event=event,
        context=context,
    )

    assert http_scope(request, state={"pool": 1}, deadline=12.5) == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/prod/café",
        "raw_path": b"/prod/caf%C3%A9",
        "root_path": "/prod",
        "query_string": b"a=1&a=%2B",
        "headers": [
            (b"host", b"api.example.com"),
            (b"x-a", b"1"),
            (b"x-a", b"2"),
            (b"content-length", b"2"),
        ],
        "client": ("198.51.100.7", 0),
        "server": ("api.example.com", 443),
        "state": {"pool": 1},
        "extensions": {},
        "aws.event": event,
        "aws.context": context,
        "aws.deadline": 12.5,
    }


def test_the_state_is_a_copy_of_its_first_level() -> None:
    state: dict[str, Any] = {"pool": []}
    request = Request(method="GET", raw_path="/", path="/")

    scope = http_scope(request, state=state, deadline=None)
    scope["state"]["mine"] = 1

    assert "mine" not in state
    assert scope["state"]["pool"] is state["pool"]


def test_a_request_without_an_address_has_no_client() -> None:
    assert scope_of()["client"] is None


def test_header_values_are_latin_1_and_what_is_not_is_utf_8() -> None:
    headers = scope_of(("X-Name", "José"), ("x-city", "Łódź"))["headers"]

    assert headers == [(b"x-name", b"Jos\xe9"), (b"x-city", "Łódź".encode())]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("content-length", "8")], [(b"content-length", b"6")]),
        ([], [(b"content-length", b"6")]),
        ([("content-length", "8"), ("content-length", "8")], [(b"content-length", b"6")]),
    ],
)
def test_the_content_length_is_that_of_the_decoded_body(
    headers: list[tuple[str, str]], expected: list[tuple[bytes, bytes]]
) -> None:
    assert scope_of(*headers, body=b"binary")["headers"] == expected


@pytest.mark.parametrize(
    ("headers", "scheme", "server"),
    [
        ([], "https", None),
        ([("host", "a.example")], "https", ("a.example", 443)),
        ([("host", "a.example:8080")], "https", ("a.example", 8080)),
        ([("host", "a.example:")], "https", ("a.example", 443)),
        ([("host", "a.example:99999999999")], "https", ("a.example", 443)),
        ([("host", "a.example:0")], "https", ("a.example", 443)),
        ([("host", "a.example:http")], "https", ("a.example", 443)),
        ([("host", "[::1]")], "https", ("::1", 443)),
        ([("host", "[::1]:8000")], "https", ("::1", 8000)),
        ([("host", "[::1")], "https", ("::1", 443)),
        ([("host", "")], "https", None),
        ([("host", "a.example"), ("x-forwarded-port", "8443")], "https", ("a.example", 8443)),
        ([("host", "a.example"), ("x-forwarded-port", "x")], "https", ("a.example", 443)),
        ([("host", "a.example"), ("x-forwarded-proto", "http")], "http", ("a.example", 80)),
        ([("x-forwarded-proto", "HTTP, https")], "http", None),
        ([("x-forwarded-proto", "gopher")], "https", None),
    ],
)
def test_scheme_and_server_are_the_front_doors_whatever_is_in_their_headers(
    headers: list[tuple[str, str]], scheme: str, server: tuple[str, int] | None
) -> None:
    scope = scope_of(*headers)

    assert (scope["scheme"], scope["server"]) == (scheme, server)


def test_what_a_client_left_unencoded_is_encoded_and_nothing_else_changes() -> None:
    scope = scope_of(raw_path="/caf\u00e9/%2F", query_string="q=\u00e9&p=a+b%20c%zz")

    assert scope["raw_path"] == b"/caf%C3%A9/%2F"
    assert scope["query_string"] == b"q=%C3%A9&p=a+b%20c%zz"
