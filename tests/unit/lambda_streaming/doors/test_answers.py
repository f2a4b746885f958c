"""Buffered answers: what each door takes."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_streaming.doors.answering import AnswerOptions, AnswerTooLarge, as_json
from lambda_streaming.doors.recognise import recognise
from lambda_streaming.responses import Response
from tests.fakes.events import (
    alb_event,
    bare_event,
    function_url_event,
    http_api_event,
    http_api_event_1_0,
    rest_api_event,
)

PAYLOAD_2_0 = (function_url_event, http_api_event, bare_event)
PAYLOAD_1_0 = (rest_api_event, http_api_event_1_0)
EVENTS = {
    "function_url": function_url_event(),
    "rest_api": rest_api_event(),
    "http_api": http_api_event(),
    "http_api_1_0": http_api_event_1_0(),
    "alb": alb_event(),
    "alb_multi_value": alb_event(multi_value=True),
    "invoke": bare_event(),
}
every_door = pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
JSON_TYPE = {"content-type": "application/json"}


def answer(
    response: Response, event: dict[str, Any], options: AnswerOptions | None = None
) -> dict[str, Any]:
    door = recognise(event)
    return door.answer(response, event, options) if options else door.answer(response, event)


def headers_of(answered: dict[str, Any]) -> dict[str, list[str]]:
    """Every header's values, from whichever map."""
    single: dict[str, str] = answered.get("headers", {})
    lists: dict[str, list[str]] = answered.get("multiValueHeaders", {})
    return {name: [value] for name, value in single.items()} | lists


def body_of(answered: dict[str, Any]) -> bytes:
    body: str = answered["body"]
    return base64.b64decode(body) if answered["isBase64Encoded"] else body.encode()


# The formats

REPEATED = Response(
    "x",
    status=404,
    headers=[("Vary", "a"), ("x-one", "1"), ("vary", "b"), ("Set-Cookie", "a=1")],
    cookies=["b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"],
)
COOKIES = ["b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "a=1"]


@pytest.mark.parametrize("make_event", PAYLOAD_2_0)
def test_payload_2_0_joins_repeated_headers_and_keeps_cookies_apart(make_event: Any) -> None:
    assert answer(REPEATED, make_event()) == {
        "statusCode": 404,
        "headers": {"Vary": "a, b", "x-one": "1", "content-length": "1"},
        "cookies": COOKIES,
        "body": "x",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("make_event", PAYLOAD_1_0)
def test_payload_1_0_lists_what_repeats(make_event: Any) -> None:
    assert answer(REPEATED, make_event()) == {
        "statusCode": 404,
        "headers": {"x-one": "1", "content-length": "1"},
        "multiValueHeaders": {"Vary": ["a", "b"], "set-cookie": COOKIES},
        "body": "x",
        "isBase64Encoded": False,
    }


def test_a_load_balancer_with_multi_values_takes_only_lists() -> None:
    assert answer(REPEATED, alb_event(multi_value=True)) == {
        "statusCode": 404,
        "statusDescription": "404 Not Found",
        "multiValueHeaders": {
            "Vary": ["a", "b"],
            "x-one": ["1"],
            "content-length": ["1"],
            "set-cookie": COOKIES,
        },
        "body": "x",
        "isBase64Encoded": False,
    }


def test_a_load_balancer_without_them_takes_cookies_under_other_spellings() -> None:
    answered = answer(REPEATED, alb_event())

    assert "multiValueHeaders" not in answered
    assert answered["headers"]["Vary"] == "a, b"
    cookies = {n: v for n, v in answered["headers"].items() if n.lower() == "set-cookie"}
    assert list(cookies.values()) == COOKIES
    assert next(iter(cookies)) == "set-cookie"


@pytest.mark.parametrize(
    ("status", "description"),
    [(200, "200 OK"), (422, "422 Unprocessable"), (299, "299 Unassigned")],
)
def test_a_load_balancer_is_told_the_status_in_words(status: int, description: str) -> None:
    told = answer(Response(status=status), alb_event())["statusDescription"]

    assert told.startswith(description)


@every_door
def test_without_cookies_none_are_mentioned(event: dict[str, Any]) -> None:
    answered = answer(Response("x"), event)

    assert "cookies" not in answered
    assert "set-cookie" not in headers_of(answered)


# Bodies


@every_door
@pytest.mark.parametrize(
    "content_type",
    [
        *("text/plain", "text/html; charset=utf-8", "TEXT/CSV", "application/json"),
        *("application/problem+json", "image/svg+xml; charset=utf-8", "application/javascript"),
        *("application/xml", "application/x-www-form-urlencoded"),
    ],
)
def test_text_is_sent_as_text(event: dict[str, Any], content_type: str) -> None:
    answered = answer(Response("grüße".encode(), headers={"Content-Type": content_type}), event)

    assert (answered["body"], answered["isBase64Encoded"]) == ("grüße", False)


@every_door
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\x89PNG", {"content-type": "image/png"}),
        (b"text by chance", {"content-type": "application/octet-stream"}),
        (b"no type", {}),
        ("grüße".encode("latin-1"), {"content-type": "text/plain; charset=latin-1"}),
        (gzip.compress(b"{}", mtime=0), {**JSON_TYPE, "content-encoding": "gzip"}),
        (b"{}", {**JSON_TYPE, "Content-Encoding": "identity"}),
    ],
)
def test_anything_else_is_sent_in_base64(
    event: dict[str, Any], body: bytes, headers: dict[str, str]
) -> None:
    answered = answer(Response(body, headers=headers), event)

    assert answered["isBase64Encoded"] is True
    assert body_of(answered) == body


@every_door
def test_a_str_is_text_whatever_its_type(event: dict[str, Any]) -> None:
    assert answer(Response("hello"), event)["body"] == "hello"


@every_door
def test_no_body_is_an_empty_text(event: dict[str, Any]) -> None:
    answered = answer(Response(status=302, headers={"location": "/"}), event)

    assert (answered["body"], answered["isBase64Encoded"]) == ("", False)


@given(
    body=st.binary() | st.text(st.characters(exclude_categories=["Cs"])),
    content_type=st.sampled_from(["text/plain", "application/json", "image/png", ""]),
    event=st.sampled_from(list(EVENTS.values())),
)
def test_a_body_arrives_as_it_was_given(
    body: bytes | str, content_type: str, event: dict[str, Any]
) -> None:
    answered = json.loads(
        as_json(answer(Response(body, headers={"content-type": content_type}), event))
    )

    assert body_of(answered) == (body.encode() if isinstance(body, str) else body)


# Lengths


@every_door
@pytest.mark.parametrize("given_length", [{}, {"Content-Length": "999"}])
def test_the_length_is_that_of_the_bytes(
    event: dict[str, Any], given_length: dict[str, str]
) -> None:
    answered = answer(Response("grüße", headers=given_length), event)

    lengths = [v for n, v in headers_of(answered).items() if n.lower() == "content-length"]
    assert lengths == [["7"]]


def test_the_length_of_a_body_that_is_not_sent_is_the_apps() -> None:
    length = {"content-length": "12"}

    for event in (function_url_event("HEAD"), rest_api_event("HEAD")):
        assert headers_of(answer(Response(headers=length), event))["content-length"] == ["12"]
    not_modified = answer(Response(status=304, headers=length), function_url_event())
    assert not_modified["headers"] == length


def test_an_answer_without_content_has_no_length() -> None:
    """RFC 9110, section 8.6."""
    answered = answer(Response(status=204, headers={"content-length": "0"}), function_url_event())

    assert answered["headers"] == {}


def test_a_wrong_length_of_nothing_is_nothing() -> None:
    answered = answer(Response(headers={"Content-Length": "12"}), function_url_event())

    assert answered["headers"] == {"Content-Length": "0"}


# Headers that cannot go out


@every_door
def test_what_belongs_to_one_connection_stays_behind(event: dict[str, Any]) -> None:
    headers = {"Connection": "close", "Transfer-Encoding": "chunked", "Date": "now", "x-kept": "1"}

    answered = answer(Response("x", headers=headers), event)

    assert sorted(headers_of(answered)) == ["content-length", "x-kept"]


@every_door
@pytest.mark.parametrize(
    ("response", "named"),
    [
        (Response(headers={"x-split": "a\r\nset-cookie: b"}), "x-split"),
        (Response(headers={"x-wide": "€"}), "x-wide"),
        (Response(headers={"no token": "a"}), "no token"),
        (Response(cookies=["a=1\n"]), "Set-Cookie"),
        (Response(status=101), "101"),
        (Response(status=600), "600"),
    ],
)
def test_what_cannot_stand_on_the_wire_is_named(
    event: dict[str, Any], response: Response, named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        answer(response, event)


# Options


@every_door
def test_excluded_headers_are_left_out(event: dict[str, Any]) -> None:
    options = AnswerOptions(exclude_headers=["X-Powered-By", "set-cookie"])
    response = Response(
        "x", headers=[("x-powered-by", "py"), ("x-kept", "1"), ("set-cookie", "a")], cookies=["b"]
    )

    assert sorted(headers_of(answer(response, event, options))) == ["content-length", "x-kept"]


def test_types_that_are_named_as_text_are_the_only_ones() -> None:
    options = AnswerOptions(text_mime_types=["application/vnd.Example", "text/"])

    def is_base64(content_type: str) -> Any:
        response = Response(b"x", headers={"content-type": content_type})
        return answer(response, function_url_event(), options)["isBase64Encoded"]

    assert not is_base64("application/vnd.example.v2; q=1")
    assert not is_base64("text/plain")
    assert is_base64("application/json")


@pytest.mark.parametrize("name", ["exclude_headers", "text_mime_types"])
def test_a_single_text_is_no_list_of_them(name: str) -> None:
    """Its letters would be taken for the names."""
    options: dict[str, Any] = {name: "text/plain"}
    with pytest.raises(TypeError, match=rf"{name} must be a list of str, not the str 'text/plain'"):
        AnswerOptions(**options)


# Limits

LAMBDAS_BYTES = 6 * 1024 * 1024 - 64 * 1024
ALBS_BYTES = 1024 * 1024


def largest(event: dict[str, Any], limit: int, character: str) -> int:
    """How many characters fit."""
    response = Response(character * 100_000)
    per_character = len(json.dumps(character, ensure_ascii=False).encode()) - 2
    head = len(as_json(answer(response, event))) - 100_000 * per_character
    longest_length_header = len(str(limit)) - 6
    return (limit - head - longest_length_header) // per_character


@every_door
@pytest.mark.parametrize("character", ["x", "é", "\n", "\0"])
def test_an_answer_is_as_large_as_the_door_takes_and_no_larger(
    event: dict[str, Any], character: str
) -> None:
    limit = ALBS_BYTES if "elb" in event.get("requestContext", {}) else LAMBDAS_BYTES
    fits = largest(event, limit, character)

    assert limit - 10 < len(as_json(answer(Response(character * fits), event))) <= limit
    with pytest.raises(AnswerTooLarge, match=f"above the {limit}"):
        answer(Response(character * (fits + 10)), event)


def test_base64_counts_as_it_is_sent() -> None:
    body = b"\xff" * (LAMBDAS_BYTES * 3 // 4)

    with pytest.raises(AnswerTooLarge):
        answer(Response(body), function_url_event())
    answer(Response(body[:-1000]), function_url_event())


def test_who_answers_too_much_is_told_what_to_set() -> None:
    body = "x" * 7_000_000

    with pytest.raises(AnswerTooLarge, match="STREAMING_INVOKE_MODE=stream, at a Function URL"):
        answer(Response(body), http_api_event())
    with pytest.raises(AnswerTooLarge, match="an ALB takes: answer from a Function URL"):
        answer(Response(body), alb_event())
