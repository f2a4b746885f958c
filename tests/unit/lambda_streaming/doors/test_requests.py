"""What each door's events become: the places where they differ."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import cookie_parser

from lambda_streaming.doors.recognise import recognise
from lambda_streaming.requests import BadRequest, Pairs, Request
from tests.fakes.events import (
    alb_event,
    bare_event,
    function_url_event,
    http_api_event,
    http_api_event_1_0,
    rest_api_event,
)

alb_multi_value_event = partial(alb_event, multi_value=True)
EventFactory = Callable[..., dict[str, Any]]


MAKERS: dict[str, EventFactory] = {
    "function_url": function_url_event,
    "rest_api": rest_api_event,
    "http_api": http_api_event,
    "http_api_1_0": http_api_event_1_0,
    "alb": alb_event,
    "alb_multi_value": alb_multi_value_event,
    "invoke": bare_event,
}
every_door = pytest.mark.parametrize("make_event", MAKERS.values(), ids=MAKERS)
with_lists = pytest.mark.parametrize(
    "make_event", [rest_api_event, http_api_event_1_0, alb_multi_value_event]
)


def read(event: dict[str, Any], context: object = None) -> Request:
    return recognise(event).read_request(event, context)


@every_door
def test_a_request_is_read(make_event: EventFactory) -> None:
    event = make_event("patch", "/items", "a=1&b=x", {"X-Thing": "y"})

    request = read(event, context := object())

    assert (request.method, request.query_string) == ("PATCH", "a=1&b=x")
    assert request.query == {"a": "1", "b": "x"}
    assert request.path.endswith("/items")
    assert request.headers["x-thing"] == "y"
    assert request.event is event
    assert request.context is context


# Paths


@pytest.mark.parametrize(
    "make_event", [function_url_event, alb_event, alb_multi_value_event, bare_event]
)
@pytest.mark.parametrize(
    ("given_path", "path"),
    [
        ("/a%20b/%C3%A9", "/a b/é"),
        ("/a%2Fb", "/a/b"),
        ("/100%2525", "/100%25"),
        ("/a+b", "/a+b"),
        ("/%FF", "/\ufffd"),
        ("/items/", "/items/"),
        ("//a", "//a"),
    ],
)
def test_an_encoded_path_is_decoded_once(
    make_event: EventFactory, given_path: str, path: str
) -> None:
    request = read(make_event(path=given_path))

    assert (request.raw_path, request.path) == (given_path, path)


@pytest.mark.parametrize("make_event", [http_api_event, http_api_event_1_0])
@pytest.mark.parametrize(
    ("given_path", "raw_path"),
    [
        ("/a b/é", "/a%20b/%C3%A9"),
        ("/100%25", "/100%2525"),
        ("/a+b;c=(d)", "/a+b;c=(d)"),
        ("/items/", "/items/"),
    ],
)
def test_a_path_that_the_door_decoded_is_not_decoded_again(
    make_event: EventFactory, given_path: str, raw_path: str
) -> None:
    request = read(make_event(path=given_path))

    assert (request.raw_path, request.path) == (raw_path, given_path)


def test_the_slash_at_the_end_that_a_function_url_drops_in_one_place_is_kept() -> None:
    """An app that redirects to the slash would redirect for ever."""
    event = function_url_event(path="/admin/")
    event["requestContext"]["http"]["path"] = "/admin"

    assert read(event).path == "/admin/"


@pytest.mark.parametrize(
    ("path", "whole", "root_path"),
    [
        ("/docs", "/prod/docs", "/prod"),
        ("/docs", "/docs", ""),
        ("/", "/prod", "/prod"),
        ("/", "/prod/", "/prod"),
        ("/", "/", ""),
        ("/docs/", "/prod/docs", "/prod"),
        ("/a%20b", "/prod/a%20b", "/prod"),
        ("/a%20b", "/prod/a b", "/prod"),
        # A custom domain with a base path: both have it.
        ("/v1/docs", "/v1/docs", ""),
        ("/docs", "/somewhere/else", ""),
        ("/docs", None, ""),
    ],
)
def test_the_root_path_of_a_rest_api_is_what_only_the_client_sees(
    path: str, whole: str | None, root_path: str
) -> None:
    event = rest_api_event(path=path)
    event["requestContext"]["path"] = whole

    request = read(event)

    assert request.root_path == root_path
    assert request.raw_path == root_path + path
    assert request.path == root_path + path.replace("%20", " ")


@pytest.mark.parametrize("make_event", [http_api_event, http_api_event_1_0])
@pytest.mark.parametrize(
    ("stage", "path", "root_path"),
    [
        ("$default", "/items", ""),
        ("$default", "/$default/items", ""),
        ("dev", "/dev/items", "/dev"),
        ("dev", "/dev", "/dev"),
        ("dev", "/developers", ""),
        # Behind a custom domain the path is without the stage.
        ("dev", "/items", ""),
    ],
)
def test_a_named_stage_is_the_root_path_of_an_http_api(
    make_event: Callable[..., dict[str, Any]], stage: str, path: str, root_path: str
) -> None:
    request = read(make_event(path=path, stage=stage))

    assert (request.path, request.root_path) == (path, root_path)


def test_a_bare_invocation_needs_no_slash_and_no_encoding() -> None:
    request = read({"httpMethod": "GET", "path": "health/é"})

    assert (request.raw_path, request.path) == ("/health/%C3%A9", "/health/é")


# Queries

PARAMETERS = st.lists(st.tuples(st.text(min_size=1), st.text()))


@pytest.mark.parametrize("make_event", [function_url_event, http_api_event])
@pytest.mark.parametrize("query", ["a=%2B+%20&a=&b", "%FF=%ED%A0%80", "&&=", "a;b=1&a=%zz"])
def test_a_query_that_came_encoded_is_passed_on_untouched(
    make_event: EventFactory, query: str
) -> None:
    assert read(make_event(query=query)).query_string == query


@pytest.mark.parametrize("multi_value", [False, True])
def test_a_load_balancers_query_is_never_decoded_on_the_way(multi_value: bool) -> None:
    query = "a=%2B+%20&b=%3Fx%3D1&c=%FF"

    assert read(alb_event(query=query, multi_value=multi_value)).query_string == query


def test_a_load_balancer_with_multi_values_passes_every_value_on() -> None:
    request = read(alb_event(query="a=1&b=2&a=3", multi_value=True))

    assert request.query_string == "a=1&a=3&b=2"
    assert request.query.all("a") == ["1", "3"]


@given(PARAMETERS)
def test_parameters_that_were_decoded_are_encoded_again(pairs: list[tuple[str, str]]) -> None:
    """Their order among names is lost in the event already."""
    try:
        query = urlencode(pairs)
    except UnicodeEncodeError:  # half a surrogate pair is no text that a client can send
        return
    request = read(rest_api_event(query=query))

    assert sorted(request.query.pairs) == sorted(pairs)
    assert all(request.query.all(name) == [v for n, v in pairs if n == name] for name, _ in pairs)


@every_door
def test_a_query_that_the_service_refuses_is_readable_for_an_app(make_event: EventFactory) -> None:
    query = "&".join(f"p{number}=1" for number in range(101))

    assert len(read(make_event(query=query)).query) == 101
    assert read(make_event(query="a=%FF")).query["a"] == "\ufffd"


def test_half_a_surrogate_pair_is_no_text() -> None:
    event = rest_api_event() | {"multiValueQueryStringParameters": {"a": ["\ud800"]}}

    assert read(event).query_string == "a=%ED%A0%80"
    assert read(event).query["a"] == "\ufffd\ufffd\ufffd"


# Headers and cookies


@with_lists
def test_a_repeated_header_comes_as_often_as_it_was_sent(make_event: EventFactory) -> None:
    event = make_event()
    event["multiValueHeaders"]["X-Thing"] = ["a, b", "c"]
    event.setdefault("headers", {})["x-thing"] = "c"

    assert read(event).headers.all("x-thing") == ["a, b", "c"]


def test_a_header_that_a_function_url_joined_is_not_cut_apart() -> None:
    assert read(function_url_event(headers={"accept": "a, b"})).headers.all("accept") == ["a, b"]


@pytest.mark.parametrize("make_event", [function_url_event, http_api_event, bare_event])
def test_cookies_that_came_apart_are_one_header(make_event: EventFactory) -> None:
    event = make_event(headers={"Cookie": "stale=1"}) | {"cookies": ["a=1", "b=2"]}

    request = read(event)

    assert request.headers.all("cookie") == ["a=1; b=2"]
    assert request.cookies == {"a": "1", "b": "2"}


@with_lists
def test_cookies_that_http_2_cut_apart_are_one_header(make_event: EventFactory) -> None:
    event = make_event()
    event["multiValueHeaders"]["Cookie"] = ["a=1", "b=2"]

    assert read(event).headers.all("cookie") == ["a=1; b=2"]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "a=1; b[0]=x; c=2",
        'a={"k": [1, 2]}; session=1',
        'a="quo\\"ted"; =b; ; c; session=1',
        "a=1=2; bad name=x; caf\u00e9=1; a=3",
    ],
)
def test_cookies_are_read_as_starlette_reads_them(header: str) -> None:
    """One odd cookie loses none of the others."""
    headers = Pairs([("cookie", header)])

    assert Request("GET", "/", "/", headers=headers).cookies == cookie_parser(header)


@with_lists
@pytest.mark.parametrize("values", [[None, "a"], ["a", None]])
def test_a_null_in_a_list_is_no_value(make_event: EventFactory, values: list[Any]) -> None:
    event = make_event()
    event["multiValueHeaders"]["X-Thing"] = values
    event["multiValueQueryStringParameters"] = {"thing": values}

    request = read(event)

    assert request.headers.all("x-thing") == ["a"]
    assert request.query.all("thing") == ["a"]


@every_door
def test_no_headers_at_all_are_none(make_event: EventFactory) -> None:
    event = make_event() | {"headers": None, "multiValueHeaders": None}

    assert read(event).headers == {}


# Bodies


@every_door
@pytest.mark.parametrize(
    ("given_body", "is_base64", "body"),
    [
        (None, False, b""),
        ("", False, b""),
        ("grüße", False, "grüße".encode()),
        (base64.b64encode(bytes(range(256))).decode(), True, bytes(range(256))),
        (b"of a test", False, b"of a test"),
        (base64.b64encode(b"of a test"), True, b"of a test"),
    ],
)
def test_a_body_is_the_bytes_that_the_client_sent(
    make_event: EventFactory, given_body: str | bytes | None, is_base64: bool, body: bytes
) -> None:
    event = make_event() | {"body": given_body, "isBase64Encoded": is_base64}

    request = read(event)

    assert request.body == body
    assert request.headers.get("content-length") == (str(len(body)) if body else None)


@every_door
@pytest.mark.parametrize("body", ["%%%", "YQ=", "YQ==\n", "é"])
def test_a_body_that_is_not_the_base64_it_should_be_is_refused(
    make_event: EventFactory, body: str
) -> None:
    event = make_event() | {"body": body, "isBase64Encoded": True}

    with pytest.raises(BadRequest, match="not base64"):
        read(event)


@every_door
@pytest.mark.parametrize("body", [7, True, ["a"], {"a": 1}])
def test_a_body_that_is_no_text_is_refused(make_event: EventFactory, body: object) -> None:
    with pytest.raises(BadRequest, match="neither a string nor null"):
        read(make_event() | {"body": body})


@every_door
def test_a_length_that_is_not_the_bodys_is_replaced(make_event: EventFactory) -> None:
    event = make_event(headers={"Content-Length": "4"}) | {"body": "YQ==", "isBase64Encoded": True}

    assert read(event).headers.all("content-length") == ["1"]


@pytest.mark.parametrize(
    "wrong",
    [{"path": 5}, {"headers": []}, {"queryStringParameters": "a=1"}, {"multiValueHeaders": 1}],
)
def test_a_bare_invocation_with_a_part_of_the_wrong_type_is_told_so(wrong: dict[str, Any]) -> None:
    (name,) = wrong

    with pytest.raises(BadRequest, match=rf"the event's {name} is neither .* nor null"):
        read({"httpMethod": "GET", "path": "/"} | wrong)


# Clients, callers and protocols


@pytest.mark.parametrize("make_event", [function_url_event, rest_api_event, http_api_event])
def test_the_client_is_who_connected_whatever_a_header_says(make_event: EventFactory) -> None:
    event = make_event(headers={"x-forwarded-for": "203.0.113.1", "X-Forwarded-For": "1.1.1.1"})

    assert read(event).client == "198.51.100.7"


@pytest.mark.parametrize("multi_value", [False, True])
@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("203.0.113.1, 198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:49152", "198.51.100.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:49152", "2001:db8::1"),
        ("", None),
    ],
)
def test_a_load_balancers_client_is_the_last_address_forwarded(
    forwarded: str, client: str | None, multi_value: bool
) -> None:
    event = alb_event(headers={"x-forwarded-for": forwarded}, multi_value=multi_value)

    assert read(event).client == client


def test_without_an_address_there_is_no_client() -> None:
    assert read(bare_event()).client is None


@pytest.mark.parametrize("identity", [{"userArn": "arn:aws:iam::1:user/victim"}])
def test_a_bare_invocation_names_no_caller(identity: dict[str, str]) -> None:
    """No front door has checked what it says."""
    event = bare_event() | {"requestContext": {"identity": identity}}

    assert read(event).caller_arn is None


@pytest.mark.parametrize("make_event", [function_url_event, http_api_event])
def test_an_iam_caller_is_known_at_both_doors_of_payload_2_0(make_event: EventFactory) -> None:
    event = make_event()
    arn = "arn:aws:iam::123456789012:user/alice"
    event["requestContext"]["authorizer"] = {"iam": {"userArn": arn}}

    assert read(event).caller_arn == arn


@pytest.mark.parametrize(
    ("protocol", "version"),
    [
        ("HTTP/1.0", "1.0"),
        ("HTTP/1.1", "1.1"),
        ("HTTP/2.0", "2"),
        ("HTTP/2", "2"),
        ("HTTP/3.0", "3"),
        ("SPDY", "1.1"),
        (None, "1.1"),
        (["HTTP/2"], "1.1"),
    ],
)
def test_the_protocol_is_the_clients(protocol: object, version: str) -> None:
    url, rest = function_url_event(), rest_api_event()
    url["requestContext"]["http"]["protocol"] = protocol
    rest["requestContext"]["protocol"] = protocol

    assert read(url).http_version == read(rest).http_version == version


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_path_reaches_an_app_as_the_client_meant_it(path: str) -> None:
    for request in (
        read(function_url_event(path=quote(f"/{path}"))),
        read(http_api_event(path=f"/{path}")),
    ):
        assert request.path == f"/{path}"
        assert request.raw_path.isascii()
