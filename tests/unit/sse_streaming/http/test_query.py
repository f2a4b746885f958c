"""What a request for a stream asks for: every parameter, from both doors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from lambda_streaming.doors.recognise import read_event
from lambda_streaming.requests import BadRequest, Pairs, Request
from lambdas.sse_streaming.feeds.request import StreamFilter, StreamRequest
from lambdas.sse_streaming.http.answers import RequestError
from lambdas.sse_streaming.http.query import parse_saved_stream_request, parse_stream_request
from lambdas.sse_streaming.sentiment import SENTIMENT
from tests.fakes.events import RECEIVED_MS, as_bytes, function_url_event, rest_api_event
from tests.fakes.feeds import sentiments

EventFactory = Callable[..., dict[str, Any]]

both = pytest.mark.parametrize(
    "make_event", [function_url_event, rest_api_event], ids=["function-url", "rest-api"]
)


def stream_request(make_event: EventFactory, query: str = "", **headers: str) -> StreamRequest:
    return parse_stream_request(
        read_event(as_bytes(make_event(query=query, headers=headers))), SENTIMENT
    )


def refusal(make_event: EventFactory, query: str) -> RequestError:
    """What the client is answered; a parameter of the schema is read without knowing of HTTP."""
    with pytest.raises((RequestError, BadRequest)) as raised:
        stream_request(make_event, query)
    error = raised.value
    if isinstance(error, BadRequest):
        return RequestError(400, error.code, error.message)
    assert isinstance(error, RequestError)
    return error


def unreadable(make_event: EventFactory, query: str) -> BadRequest:
    with pytest.raises(BadRequest) as raised:
        stream_request(make_event, query)
    return raised.value


def test_what_is_not_utf_8_is_named() -> None:
    assert "'ticker'" in unreadable(function_url_event, "backfill=1&ticker=%FF").message


def test_more_parameters_than_anybody_needs_are_refused_as_such() -> None:
    message = unreadable(function_url_event, "&".join(f"p{n}=1" for n in range(101))).message

    assert message == "more than 100 query parameters"


@both
def test_of_a_repeated_parameter_the_last_counts(make_event: EventFactory) -> None:
    assert stream_request(make_event, "backfill=1&backfill=7").backfill == 7


@both
@pytest.mark.parametrize("query", ["sentiment=%FF", "%FF=1", "ticker=%C3", "a=%ED%A0%80"])
def test_percent_encoding_of_anything_but_utf8_is_refused(
    make_event: EventFactory, query: str
) -> None:
    assert unreadable(make_event, query).code == "invalid_query"


def test_a_hundred_parameters_are_enough() -> None:
    query = "&".join(f"p{number}=1" for number in range(100))

    assert refusal(function_url_event, query).code == "unknown_parameter"


@both
def test_without_parameters_everything_is_wanted(make_event: EventFactory) -> None:
    wanted = stream_request(make_event)

    assert wanted == StreamRequest(sentiments(), 0, None, RECEIVED_MS)


@both
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("sentiment=positive", StreamFilter(("positive",))),
        ("sentiment=positive,negative", StreamFilter(("negative", "positive"))),
        ("sentiment=positive%2Cneutral", StreamFilter(("neutral", "positive"))),
        ("sentiment=positive,positive", StreamFilter(("positive",))),
        ("sentiment=%20positive%20", StreamFilter(("positive",))),
        ("ticker=aapl", sentiments(tickers={"AAPL"})),
        (
            "ticker=AAPL,brk.b,^GSPC",
            sentiments(tickers={"AAPL", "BRK.B", "^GSPC"}),
        ),
        ("ticker=EURUSD%3DX,BTC-USD", sentiments(tickers={"EURUSD=X", "BTC-USD"})),
        (f"ticker={'A' * 16}", sentiments(tickers={"A" * 16})),
    ],
)
def test_a_filter_is_read(make_event: EventFactory, query: str, wanted: StreamFilter) -> None:
    assert stream_request(make_event, query).filter == wanted


@both
def test_fifty_tickers_are_allowed_and_no_more(make_event: EventFactory) -> None:
    tickers = [f"T{number}" for number in range(51)]

    wanted = stream_request(make_event, "ticker=" + ",".join(tickers[:50])).filter
    assert wanted == sentiments(tickers=tickers[:50])
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
    request = Request("GET", "/", "/", Pairs([("sentiment", "positive")]))

    with pytest.raises(RequestError, match=r"'sentiment'; known: backfill, last_event_id$"):
        parse_saved_stream_request(request)
