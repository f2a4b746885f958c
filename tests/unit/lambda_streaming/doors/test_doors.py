"""Which door an event came through, and whether it gets a streamed answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_streaming.doors import alb, function_url, http_api, invoke, rest_api
from lambda_streaming.doors.door import Door, InvokeMode, Streams, streams
from lambda_streaming.doors.events import decode
from lambda_streaming.doors.recognise import NotHttp, Refused, recognise
from lambda_streaming.requests import BadRequest
from lambda_streaming.responses import Response
from tests.fakes.events import (
    alb_event,
    bare_event,
    function_url_event,
    http_api_event,
    http_api_event_1_0,
    rest_api_event,
)

DOORS: list[Door] = [function_url, rest_api, http_api, alb, invoke]

# What people write to invoke a function directly, from the least to a whole event of payload 2.0.
HAND_WRITTEN: dict[str, dict[str, Any]] = {
    "health": {"httpMethod": "GET", "path": "/health", "headers": {}},
    "2.0 without path, headers and query": {
        "version": "2.0",
        "requestContext": {"http": {"method": "GET", "path": "/health"}},
    },
    "2.0 with a body": {
        "version": "2.0",
        "requestContext": {"http": {"method": "POST", "path": "/api/process"}},
        "rawPath": "/api/process",
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "body": '{"text": "a"}',
        "isBase64Encoded": False,
    },
    "2.0 whole": {
        "version": "2.0",
        "requestContext": {
            "http": {"method": "GET", "path": "/info/version", "sourceIp": "127.0.0.1"}
        },
        "headers": {"x-api-key": "k"},
        "rawPath": "/info/version",
        "rawQueryString": "a=1",
    },
}


@pytest.mark.parametrize(
    ("event", "door"),
    [
        (function_url_event(), function_url),
        (rest_api_event(), rest_api),
        (http_api_event(), http_api),
        (http_api_event_1_0(), http_api),
        (http_api_event_1_0() | {"resource": None}, http_api),
        (alb_event(), alb),
        (alb_event(multi_value=True), alb),
        (bare_event(), invoke),
        *((event, invoke) for event in HAND_WRITTEN.values()),
        ({"httpMethod": "GET", "path": "/", "requestContext": {}}, invoke),
        # API Gateway's test console, and emulators of REST APIs, which write a version.
        (rest_api_event() | {"headers": None}, rest_api),
        ({"version": "1.0"} | rest_api_event(), rest_api),
    ],
)
def test_an_event_has_a_door(event: dict[str, Any], door: Door) -> None:
    assert recognise(event) is door


def test_a_function_url_is_known_in_every_partition() -> None:
    event = function_url_event()
    event["requestContext"]["domainName"] = "abc.lambda-url.cn-north-1.on.amazonwebservices.com.cn"

    assert recognise(event) is function_url


def test_the_doors_have_names_of_their_own() -> None:
    assert [door.NAME for door in DOORS] == [
        *("function_url", "rest_api", "http_api", "alb", "invoke")
    ]


@pytest.mark.parametrize("name", HAND_WRITTEN)
def test_a_bare_invocation_is_answered(name: str) -> None:
    event = HAND_WRITTEN[name]

    request = recognise(event).read_request(event, None)
    answer = recognise(event).answer(Response('{"ok":true}'), event)

    assert request.path in {"/health", "/api/process", "/info/version"}
    assert request.method == ("POST" if "body" in event else "GET")
    assert request.body == event.get("body", "").encode()
    assert request.client == ("127.0.0.1" if name == "2.0 whole" else None)
    assert (answer["statusCode"], answer["body"]) == (200, '{"ok":true}')


# Streamed or buffered


@pytest.mark.parametrize(
    ("mode", "streaming"),
    [
        (InvokeMode.AUTO, {function_url}),
        (InvokeMode.STREAM, {function_url, rest_api}),
        (InvokeMode.BUFFER, set()),
    ],
)
def test_only_doors_that_pass_a_stream_on_get_one(mode: InvokeMode, streaming: set[Door]) -> None:
    assert {door for door in DOORS if streams(door, mode)} == streaming


@pytest.mark.parametrize("door", [http_api, alb, invoke])
def test_a_door_that_buffers_is_never_told_to_stream(door: Door) -> None:
    """The prelude would arrive in front of the body."""
    assert door.STREAMS is Streams.NEVER


# Refusals


@pytest.mark.parametrize("event_type", ["CONNECT", "MESSAGE", "DISCONNECT"])
def test_a_web_socket_is_refused_with_what_to_use_instead(event_type: str) -> None:
    event = {"requestContext": {"connectionId": "L0SM9cOFvHcCIhw=", "eventType": event_type}}

    with pytest.raises(Refused, match=r"WebSocket API of API Gateway.*AppSync Events") as raised:
        recognise(event)
    assert raised.value.status == 501


def test_a_web_socket_is_no_rest_api() -> None:
    event = rest_api_event()
    event["requestContext"]["connectionId"] = "L0SM9cOFvHcCIhw="

    with pytest.raises(Refused):
        recognise(event)


def test_an_edge_function_is_refused_with_what_to_use_instead() -> None:
    event = {"Records": [{"cf": {"request": {"method": "GET", "uri": "/"}}}]}

    with pytest.raises(Refused, match=r"Lambda@Edge.*Function URL") as raised:
        recognise(event)
    assert raised.value.status == 501


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"key": "value"},
        {"version": "2.0"},
        {"requestContext": None},
        {"requestContext": {"http": {"method": 7}}},
        {"requestContext": {"http": None}, "httpMethod": None},
        {"httpMethod": "", "path": "/"},
        {"path": "/health", "headers": {}},
        {"Records": []},
        {"statusCode": 200, "body": ""},
        {"version": "3.0", "httpMethod": "GET", "path": "/health"},
        {"version": 2, "requestContext": {"http": {"method": "GET"}}},
    ],
    ids=json.dumps,
)
def test_an_unknown_shape_names_no_source(event: dict[str, Any]) -> None:
    with pytest.raises(NotHttp) as raised:
        recognise(event)
    assert raised.value.source is None


@pytest.mark.parametrize("event", [b"", b"{", b"[]", b"null", b'"text"', b"[" * 100_000])
def test_what_is_no_json_object_is_no_event(event: bytes) -> None:
    with pytest.raises(NotHttp):
        decode(event)


# Nothing crashes

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
WHOLE_EVENTS = (
    function_url_event(query="a=1", headers={"content-length": "3"}, user_arn="arn:a"),
    rest_api_event(query="a=1", headers={"content-length": "3"}, user_arn="arn:a"),
    http_api_event(path="/dev/items", query="a=1", stage="dev") | {"cookies": ["a=1"]},
    http_api_event_1_0(path="/dev/items", query="a=1", stage="dev"),
    alb_event(query="a=1"),
    alb_event(query="a=1", multi_value=True),
    *HAND_WRITTEN.values(),
    {"Records": [{"eventSource": "aws:sqs", "cf": {}}], "requestContext": {"connectionId": "c"}},
)


def places(event: Any) -> list[tuple[Any, ...]]:
    """Every path to something inside a JSON value."""
    names = event if isinstance(event, dict) else range(len(event)) if type(event) is list else ()
    return [(name, *rest) for name in names for rest in [(), *places(event[name])]]


@given(
    st.sampled_from([(event, place) for event in WHOLE_EVENTS for place in places(event)]),
    st.just(...) | json_values,
)
def test_a_part_that_is_missing_or_of_any_other_type_crashes_nothing(
    whole: tuple[dict[str, Any], tuple[Any, ...]], value: object
) -> None:
    event = json.loads(json.dumps(whole[0]))
    *way, last = whole[1]
    parent = event
    for name in way:
        parent = parent[name]
    if value is ...:
        del parent[last]
    else:
        parent[last] = value

    try:
        door = recognise(event)
        request = door.read_request(event, None)
    except (NotHttp, Refused, BadRequest):
        return

    assert request.raw_path.isascii()
    assert request.query_string.isascii()
    assert request.raw_path.startswith("/")
    assert request.path.startswith(request.root_path)
    assert all(isinstance(text, str) for pair in request.headers.pairs for text in pair)
    assert request.method
    assert json.loads(json.dumps(door.answer(Response("x"), event)))["statusCode"] == 200


@given(st.dictionaries(st.text(max_size=8), json_values))
def test_no_event_is_too_strange(event: dict[str, object]) -> None:
    with pytest.raises(NotHttp):
        recognise(event)
