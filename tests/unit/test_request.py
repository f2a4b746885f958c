"""From an event to a request: both sources, every parameter, and whatever else arrives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.sse_streaming.errors import RequestError
from lambdas.sse_streaming.request import (
    SENTIMENTS,
    NotHttp,
    Request,
    StreamFilter,
    StreamRequest,
    parse_event,
    parse_stream_request,
)
from tests.fakes.events import RECEIVED_MS, as_bytes, function_url_event, rest_api_event

ALLOWED = frozenset({"sentiment", "ticker", "backfill"})
EventFactory = Callable[..., dict[str, Any]]

both = pytest.mark.parametrize(
    "make_event", [function_url_event, rest_api_event], ids=["function-url", "rest-api"]
)


def stream_request(make_event: EventFactory, query: str = "", **headers: str) -> StreamRequest:
    return parse_stream_request(
        parse_event(as_bytes(make_event(query=query, headers=headers))), ALLOWED
    )


def refusal(make_event: EventFactory, query: str) -> RequestError:
    with pytest.raises(RequestError) as raised:
        stream_request(make_event, query)
    return raised.value


# Events


def test_what_is_not_utf_8_is_named() -> None:
    assert "'ticker'" in refusal(function_url_event, "backfill=1&ticker=%FF").message


def test_more_parameters_than_anybody_needs_are_refused_as_such() -> None:
    message = refusal(function_url_event, "&".join(f"p{n}=1" for n in range(101))).message

    assert message == "more than 100 query parameters"


def test_a_header_that_came_in_a_list_only_is_read() -> None:
    """API Gateway's test console sends `headers: null`."""
    event = rest_api_event()
    event |= {"headers": None, "multiValueHeaders": {"Last-Event-ID": ["first", "last"]}}

    assert parse_event(as_bytes(event)).headers["last-event-id"] == "last"


@both
def test_a_request_is_read(make_event: EventFactory) -> None:
    event = make_event("DELETE", "/stream/7.abc", "a=1&b=%20x", {"X-Thing": "y"})

    request = parse_event(as_bytes(event))

    assert (request.method, request.path) == ("DELETE", "/stream/7.abc")
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

    assert parse_event(as_bytes(event)).path == path


@both
def test_a_method_is_upper_case(make_event: EventFactory) -> None:
    assert parse_event(as_bytes(make_event("get"))).method == "GET"


@both
def test_of_a_repeated_parameter_the_last_counts(make_event: EventFactory) -> None:
    assert stream_request(make_event, "backfill=1&backfill=7").backfill == 7


@both
@pytest.mark.parametrize("query", ["sentiment=%FF", "%FF=1", "ticker=%C3", "a=%ED%A0%80"])
def test_percent_encoding_of_anything_but_utf8_is_refused(
    make_event: EventFactory, query: str
) -> None:
    error = refusal(make_event, query)

    assert (error.status, error.code) == (400, "invalid_query")


@pytest.mark.parametrize("count", [100, 101])
def test_a_hundred_parameters_are_enough(count: int) -> None:
    query = "&".join(f"p{number}=1" for number in range(count))

    error = refusal(function_url_event, query)

    assert error.code == ("unknown_parameter" if count == 100 else "invalid_query")


def test_a_rest_api_without_multi_values_is_read_too() -> None:
    event = rest_api_event(query="backfill=3")
    del event["multiValueQueryStringParameters"]

    assert parse_event(as_bytes(event)).query == {"backfill": "3"}


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
    ],
)
def test_a_caller_is_a_user_or_the_role_behind_a_session(
    make_event: EventFactory, user_arn: str | None, caller: str | None
) -> None:
    assert parse_event(as_bytes(make_event(user_arn=user_arn))).caller_arn == caller


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
        parse_event(event)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(json_values | st.binary())
def test_no_event_is_too_strange(event: object) -> None:
    raw = event if isinstance(event, bytes) else as_bytes(event)
    with pytest.raises(NotHttp):
        parse_event(raw)


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
        request = parse_event(as_bytes(replaced(event, place, value)))
        assert all(isinstance(text, str) for text in (request.method, request.path))
        assert all(isinstance(text, str) for text in request.headers.values())
        assert all(isinstance(text, str) for text in request.query.values())
        parse_stream_request(request, ALLOWED)
    except (NotHttp, RequestError):
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
        parse_stream_request(parse_event(as_bytes(replaced(event, place[:-1], shorter))), ALLOWED)
    except (NotHttp, RequestError):
        pass


# Parameters


@both
def test_without_parameters_everything_is_wanted(make_event: EventFactory) -> None:
    wanted = stream_request(make_event)

    assert wanted == StreamRequest(StreamFilter(SENTIMENTS), 0, None, RECEIVED_MS)


@pytest.mark.parametrize("stamp", [None, "1795236967000", True, 1.5])
def test_a_time_stamp_that_is_no_whole_number_is_none(stamp: object) -> None:
    event = function_url_event()
    event["requestContext"]["timeEpoch"] = stamp

    assert parse_event(as_bytes(event)).received_ms is None


@both
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("sentiment=positive", StreamFilter(("positive",))),
        ("sentiment=positive,negative", StreamFilter(("negative", "positive"))),
        ("sentiment=positive%2Cneutral", StreamFilter(("neutral", "positive"))),
        ("sentiment=positive,positive", StreamFilter(("positive",))),
        ("sentiment=%20positive%20", StreamFilter(("positive",))),
        ("ticker=aapl", StreamFilter(SENTIMENTS, frozenset({"AAPL"}))),
        (
            "ticker=AAPL,brk.b,^GSPC",
            StreamFilter(SENTIMENTS, frozenset({"AAPL", "BRK.B", "^GSPC"})),
        ),
        ("ticker=EURUSD%3DX,BTC-USD", StreamFilter(SENTIMENTS, frozenset({"EURUSD=X", "BTC-USD"}))),
        (f"ticker={'A' * 16}", StreamFilter(SENTIMENTS, frozenset({"A" * 16}))),
    ],
)
def test_a_filter_is_read(make_event: EventFactory, query: str, wanted: StreamFilter) -> None:
    assert stream_request(make_event, query).filter == wanted


@both
def test_fifty_tickers_are_allowed_and_no_more(make_event: EventFactory) -> None:
    tickers = [f"T{number}" for number in range(51)]

    wanted = stream_request(make_event, "ticker=" + ",".join(tickers[:50])).filter
    assert wanted.tickers == set(tickers[:50])
    assert refusal(make_event, "ticker=" + ",".join(tickers)).message.startswith("ticker:")
    assert refusal(make_event, "ticker=" + ",".join(["T"] * 51)).message.startswith("ticker:")


@both
@pytest.mark.parametrize("count", [0, 1, 100])
def test_a_backfill_is_a_number_up_to_a_hundred(make_event: EventFactory, count: int) -> None:
    assert stream_request(make_event, f"backfill={count}").backfill == count


SECRET = "s3cr3t"

BAD_QUERIES = (
    ("sentiment", ""),
    ("sentiment", SECRET),
    ("sentiment", f"positive,{SECRET}"),
    ("sentiment", "positive,"),
    ("sentiment", "Positive"),
    ("ticker", ""),
    ("ticker", ","),
    ("ticker", f"{SECRET} x"),
    ("ticker", SECRET * 3),
    ("ticker", f"AAPL,{SECRET}/x"),
    ("ticker", "\u00c4"),
    ("ticker", "\u0131BM"),  # upper case of dotless i is I
    ("ticker", "\u00df"),
    ("ticker", "A\nB"),
    ("backfill", ""),
    ("backfill", "-1"),
    ("backfill", "101"),
    ("backfill", "1.5"),
    ("backfill", "1e1"),
    ("backfill", " 1"),
    ("backfill", "+1"),
    ("backfill", "\u0661"),
    ("backfill", "\u00b2"),
    ("backfill", SECRET),
    ("backfill", "9" * 5000),
)


@both
@pytest.mark.parametrize(("name", "value"), BAD_QUERIES)
def test_a_bad_value_is_400_naming_the_parameter_and_not_the_value(
    make_event: EventFactory, name: str, value: str
) -> None:
    error = refusal(
        make_event,
        f"{name}={quote(value)}&backfill=1"
        if name != "backfill"
        else (f"sentiment=positive&backfill={quote(value)}"),
    )

    assert (error.status, error.code) == (400, "invalid_parameter")
    assert error.message.startswith(f"{name}:")
    assert SECRET not in error.message


@both
@pytest.mark.parametrize(
    "name", ["sentiments", "limit", "Sentiment", "last-event-id", "", "a" * 20]
)
def test_an_unknown_parameter_is_400_naming_it_and_not_its_value(
    make_event: EventFactory, name: str
) -> None:
    error = refusal(make_event, f"{quote(name)}={SECRET}")

    assert (error.status, error.code) == (400, "unknown_parameter")
    assert f"unknown query parameter '{name}'; known: " in error.message
    assert SECRET not in error.message


@both
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl", "eyJhbGci…"),
        ("AKIAIOSFODNN7EXAMPLE0", "AKIAIOSF…"),
        ("x" * 5000, "xxxxxxxx…"),
        ("bearer c2VjcmV0", "bearer…"),
        ("key\r\nx: y", "key…"),
        ("\u00e9", "…"),
    ],
)
def test_of_what_is_no_name_only_the_first_characters_are_shown(
    make_event: EventFactory, name: str, shown: str
) -> None:
    """Somebody's token as a name instead of a value must not come back."""
    message = refusal(make_event, f"{quote(name)}=1").message

    assert message.startswith(f"unknown query parameter '{shown}'; known: ")


@both
def test_the_parameters_that_are_known_are_all_told(make_event: EventFactory) -> None:
    """Every one that is told is taken."""
    known = "backfill, last_event_id, sentiment, ticker"

    assert refusal(make_event, "limit=1").message.endswith(f"known: {known}")
    query = "backfill=1&last_event_id=a&sentiment=positive&ticker=A"
    assert stream_request(make_event, query).backfill == 1


# The id presented


@both
@pytest.mark.parametrize("name", ["last_event_id", "lastEventId", "Last-Event-ID"])
def test_an_id_may_come_in_the_query(make_event: EventFactory, name: str) -> None:
    assert stream_request(make_event, f"{name}=abc").last_event_id == "abc"


@both
@pytest.mark.parametrize("header", ["last-event-id", "Last-Event-ID", "LAST-EVENT-ID"])
def test_the_header_beats_the_query(make_event: EventFactory, header: str) -> None:
    """A browser that reconnects repeats the URL of its first visit."""
    wanted = stream_request(make_event, "last_event_id=old", **{header: "new"})

    assert wanted.last_event_id == "new"


@both
def test_an_empty_header_falls_back_to_the_query(make_event: EventFactory) -> None:
    wanted = stream_request(make_event, "lastEventId=fromquery", **{"last-event-id": ""})

    assert wanted.last_event_id == "fromquery"


@both
def test_an_empty_id_is_none(make_event: EventFactory) -> None:
    wanted = stream_request(make_event, "last_event_id=", **{"last-event-id": ""})

    assert wanted.last_event_id is None


@both
def test_of_a_repeated_id_the_last_counts(make_event: EventFactory) -> None:
    assert stream_request(make_event, "lastEventId=a&lastEventId=b").last_event_id == "b"


@both
def test_an_id_is_passed_on_as_presented_however_long(make_event: EventFactory) -> None:
    presented = "x" * 10_240

    assert stream_request(make_event, **{"last-event-id": presented}).last_event_id == presented


def test_only_what_a_route_allows_is_known_there() -> None:
    """A saved configuration's stream takes its filter from the table."""
    request = Request("GET", "/", {"sentiment": "positive"}, {}, None)

    with pytest.raises(RequestError, match=r"'sentiment'; known: backfill, last_event_id$"):
        parse_stream_request(request, frozenset({"backfill"}))
