"""From an event to a request: both doors, and whatever else arrives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_streaming.doors.recognise import NotHttp, read_event
from lambda_streaming.requests import BadRequest
from tests.fakes.events import as_bytes, function_url_event, rest_api_event

EventFactory = Callable[..., dict[str, Any]]

both = pytest.mark.parametrize(
    "make_event", [function_url_event, rest_api_event], ids=["function-url", "rest-api"]
)


def test_a_header_that_came_in_a_list_only_is_read() -> None:
    """API Gateway's test console sends `headers: null`."""
    event = rest_api_event()
    event |= {"headers": None, "multiValueHeaders": {"Last-Event-ID": ["first", "last"]}}

    assert read_event(as_bytes(event)).headers["last-event-id"] == "last"


@both
def test_a_request_is_read(make_event: EventFactory) -> None:
    event = make_event("DELETE", "/stream/7.abc", "a=1&b=%20x", {"X-Thing": "y"})

    request = read_event(as_bytes(event))

    assert (request.method, request.raw_path) == ("DELETE", "/stream/7.abc")
    assert request.query == {"a": "1", "b": " x"}
    assert request.headers["x-thing"] == "y"
    assert request.headers["accept"] == "text/event-stream"
    assert request.caller_arn is None


@both
@pytest.mark.parametrize(
    ("given_path", "path"),
    [
        ("/stream", "/stream"),
        ("/stream/", "/stream/"),
        ("/", "/"),
        ("", "/"),
        ("stream", "/"),
        (None, "/"),
    ],
)
def test_a_path_has_one_form(make_event: EventFactory, given_path: Any, path: str) -> None:
    event = make_event()
    event["rawPath" if "rawPath" in event else "path"] = given_path

    assert read_event(as_bytes(event)).path == path


@both
def test_a_method_is_upper_case(make_event: EventFactory) -> None:
    assert read_event(as_bytes(make_event("get"))).method == "GET"


def test_a_rest_api_without_multi_values_is_read_too() -> None:
    event = rest_api_event(query="backfill=3")
    del event["multiValueQueryStringParameters"]

    assert read_event(as_bytes(event)).query == {"backfill": "3"}


# Callers


@both
@pytest.mark.parametrize(
    ("user_arn", "caller"),
    [
        (None, None),
        ("", None),
        ("arn:aws:iam::123456789012:user/alice", "arn:aws:iam::123456789012:user/alice"),
        (
            "arn:aws:iam::123456789012:user/team/alice",
            "arn:aws:iam::123456789012:user/team/alice",
        ),
        (
            "arn:aws:sts::123456789012:assumed-role/Reader/session-1",
            "arn:aws:iam::123456789012:role/Reader",
        ),
        (
            "arn:aws:sts::123456789012:assumed-role/Reader/alice@example.com",
            "arn:aws:iam::123456789012:role/Reader",
        ),
        (
            "arn:aws-cn:sts::123456789012:assumed-role/Reader/s",
            "arn:aws-cn:iam::123456789012:role/Reader",
        ),
        (
            "arn:aws-us-gov:sts::123456789012:assumed-role/Reader/s",
            "arn:aws-us-gov:iam::123456789012:role/Reader",
        ),
        ("arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:root"),
        (
            "arn:aws:sts::123456789012:assumed-role/OriginAccessControlRole/OriginAccessSession",
            None,
        ),
    ],
)
def test_a_caller_is_a_user_or_the_role_behind_a_session(
    make_event: EventFactory, user_arn: str | None, caller: str | None
) -> None:
    assert read_event(as_bytes(make_event(user_arn=user_arn))).caller_arn == caller


@pytest.mark.parametrize(
    "headers",
    [
        {"x-user-id": "victim"},
        {"authorization": "Bearer victim"},
        {"x-amzn-oidc-identity": "arn:aws:iam::123456789012:user/victim"},
    ],
)
def test_nobody_becomes_a_caller_by_a_header(headers: dict[str, str]) -> None:
    assert read_event(as_bytes(function_url_event(headers=headers))).caller_arn is None


# What is no request


@pytest.mark.parametrize(
    "event",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"null",
        b"[]",
        b'"text"',
        b"17",
        b"{}",
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"requestContext":null}',
        b'{"requestContext":{"http":{"method":7}}}',
        b'{"requestContext":{"http":null},"httpMethod":null}',
        b'{"httpMethod":"GET","path":"/stream"}',
        json.dumps({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}).encode(),
        json.dumps({"source": "aws.events", "detail-type": "Scheduled Event"}).encode(),
        json.dumps({"key": "value", "version": "2.0"}).encode(),
        json.dumps({"requestContext": {"eventType": "CONNECT", "connectionId": "x"}}).encode(),
    ],
    ids=lambda event: event[:30].decode(errors="replace"),
)
def test_an_event_from_elsewhere_is_not_http(event: bytes) -> None:
    with pytest.raises(NotHttp):
        read_event(event)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(json_values | st.binary())
def test_no_event_is_too_strange(event: object) -> None:
    raw = event if isinstance(event, bytes) else as_bytes(event)
    with pytest.raises(NotHttp):
        read_event(raw)


def places(event: Any) -> list[tuple[Any, ...]]:
    """Every path into a JSON value."""
    if isinstance(event, dict):
        return [(), *((name, *rest) for name in event for rest in places(event[name]))]
    if isinstance(event, list):
        return [(), *((at, *rest) for at in range(len(event)) for rest in places(event[at]))]
    return [()]


def replaced(event: Any, place: tuple[Any, ...], value: object) -> Any:
    if not place:
        return value
    copy = event.copy()
    copy[place[0]] = replaced(event[place[0]], place[1:], value)
    return copy


WHOLE_EVENTS = tuple(
    make(query="sentiment=positive&backfill=1", headers={"last-event-id": "x"}, user_arn="arn:a")
    for make in (function_url_event, rest_api_event)
)


@given(
    st.sampled_from([(event, place) for event in WHOLE_EVENTS for place in places(event)]),
    json_values,
)
def test_a_part_of_any_other_type_crashes_nothing(
    whole: tuple[dict[str, Any], tuple[Any, ...]], value: object
) -> None:
    event, place = whole
    try:
        request = read_event(as_bytes(replaced(event, place, value)))
        assert all(isinstance(text, str) for text in (request.method, request.raw_path))
        assert all(isinstance(text, str) for text in request.headers.values())
        assert all(isinstance(text, str) for text in request.query.values())
    except (NotHttp, BadRequest):
        pass


@given(st.sampled_from(WHOLE_EVENTS), st.data())
def test_a_missing_part_crashes_nothing(event: dict[str, Any], data: st.DataObject) -> None:
    place = data.draw(st.sampled_from([one for one in places(event) if one]))
    parent = event
    for step in place[:-1]:
        parent = parent[step]
    shorter = (
        {name: value for name, value in parent.items() if name != place[-1]}
        if isinstance(parent, dict)
        else []
    )
    try:
        read_event(as_bytes(replaced(event, place[:-1], shorter)))
    except (NotHttp, BadRequest):
        pass


@pytest.mark.parametrize("stamp", [None, "1795236967000", True, 1.5])
def test_a_time_stamp_that_is_no_whole_number_is_none(stamp: object) -> None:
    event = function_url_event()
    event["requestContext"]["timeEpoch"] = stamp

    assert read_event(as_bytes(event)).received_ms is None
