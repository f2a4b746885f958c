"""A declaration is checked when it is made, and says what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lambda_streaming.requests import Request
from lambdas.sse_streaming import Caller, FeedSchema, Filter, FixedValues, QueryParameter
from lambdas.sse_streaming.sentiment import SENTIMENT
from tests.fakes.feeds import JOBS


def schema(**changes: Any) -> FeedSchema:
    given: dict[str, Any] = {
        "event": "job",
        "partition": "tenant",
        "chosen_by": QueryParameter("tenant"),
        "time": "at",
        "item_id": "job_id",
    }
    return FeedSchema(**{**given, **changes})


def test_the_sentiment_feed_is_what_it_always_was() -> None:
    assert SENTIMENT.declaration() == {
        "event": "sentiment",
        "partition": "sentiment_type",
        "values": ["negative", "neutral", "positive"],
        "chosen_by": "fixed",
        "parameter": "sentiment",
        "time": "published_at",
        "time_unit": "ms",
        "item_id": "item_id",
        "index": "by_sentiment",
        "filters": [{"attribute": "ticker", "parameter": "ticker", "values": None}],
    }


def test_a_query_parameter_has_no_values_to_declare() -> None:
    assert JOBS.declaration() == {
        "event": "job",
        "partition": "tenant",
        "values": None,
        "chosen_by": "query",
        "parameter": "tenant",
        "time": "timestamp",
        "time_unit": "s",
        "item_id": "job_id",
        "index": "by_tenant",
        "filters": [
            {"attribute": "status", "parameter": "status", "values": ["queued", "running", "done"]}
        ],
    }


def test_callers_choose_by_no_parameter() -> None:
    declared = schema(chosen_by=Caller()).declaration()

    assert (declared["chosen_by"], declared["parameter"], declared["values"]) == (
        "caller",
        None,
        None,
    )


def test_a_saved_configuration_has_an_attribute_for_each_parameter() -> None:
    assert SENTIMENT.columns == {"sentiment": "sentiment", "ticker": "tickers"}
    assert schema(chosen_by=Caller()).columns == {}


def test_lists_do_for_tuples() -> None:
    made = schema(
        chosen_by=FixedValues(["eu", "us"]),
        filters=[Filter("status", values=["done"])],
    )

    assert made.fixed_values == ("eu", "us")
    assert made.filters == (Filter("status", values=("done",)),)


STATUS = Filter("status", pattern="[a-z]+")
WRONG: list[tuple[str, Callable[[], object]]] = [
    ("is an event of every stream", lambda: schema(event="ready")),
    ("is an event of every stream", lambda: schema(event="Error")),
    ("no name of an event", lambda: schema(event="two words")),
    ("no name of an event", lambda: schema(event="job\n")),
    ("no name of an event", lambda: schema(event="")),
    ("partition: '' is no name", lambda: schema(partition="")),
    ("time: 5 is no name", lambda: schema(time=5)),
    ("255 bytes", lambda: schema(item_id="x" * 256)),
    ("added to every item", lambda: schema(time="latency_ms")),
    ("three attributes", lambda: schema(time="job_id")),
    ("give FixedValues", lambda: schema(chosen_by="tenant")),
    ("do not sort by time.*write the time as a number", lambda: schema(time_unit="iso")),
    ("no Filter", lambda: schema(filters=("status",))),
    ("partitions are chosen by chosen_by", lambda: schema(filters=Filter("tenant", values=("a",)))),
    ("beside the partition", lambda: schema(filters=Filter("at", values=("1",)))),
    (
        "two query parameters are called 'tenant'",
        lambda: schema(filters=Filter("x", "tenant", ("a",))),
    ),
    ("two query parameters are called 'status'", lambda: schema(filters=(STATUS, STATUS))),
    (
        "two attributes of a saved configuration are called 'owner'",
        lambda: schema(filters=(replace(STATUS, stored_as="owner"),)),
    ),
    ("no name of an index", lambda: schema(partition="te nant")),
    ("no name of an index", lambda: schema(index="x")),
    ("a tuple of texts", lambda: FixedValues("eu")),
    ("one or more texts", lambda: FixedValues(())),
    ("one or more texts", lambda: FixedValues(("eu", ""))),
    ("two values of FixedValues are called 'eu'", lambda: FixedValues(("eu", "eu"))),
    ("cannot be named in a query", lambda: FixedValues(("eu,us",), "region")),
    ("meaning of its own", lambda: FixedValues(("eu",), "backfill")),
    ("meaning of its own", lambda: QueryParameter("last_event_id")),
    ("meaning of its own", lambda: QueryParameter("Last-Event-Id")),
    ("meaning of its own", lambda: QueryParameter("X-Amz-Date")),
    ("no name of a query parameter", lambda: QueryParameter("a b")),
    ("no regular expression", lambda: QueryParameter("a", pattern="(")),
    ("at_most=0", lambda: QueryParameter("a", at_most=0)),
    ("partition_of='arn'", lambda: Caller("arn")),  # type: ignore[arg-type]
    ("and not both", lambda: Filter("status")),
    ("and not both", lambda: Filter("status", values=("a",), pattern="a")),
    ("give the values as a tuple", lambda: Filter("status", values="done")),
    ("upper case", lambda: Filter("status", values=("done",), uppercase=True)),
    ("no name of a query parameter", lambda: Filter("größe", pattern="[0-9]+")),
    ("added to every item", lambda: Filter("latency_ms", pattern="[0-9]+")),
]


@pytest.mark.parametrize(("said", "make"), WRONG, ids=[said for said, _ in WRONG])
def test_what_is_wrong_is_said_where_it_is_written(said: str, make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_any_attribute_names_can_be_keys() -> None:
    """Reserved words, too; only the index needs a name that DynamoDB takes."""
    made = schema(partition="größe x", time="timestamp", index="by_size")

    assert made.index == "by_size"


# Callers


def request(**changes: Any) -> Request:
    return Request("GET", "/stream", "/stream", **changes)


def test_by_default_a_caller_is_who_the_front_door_checked() -> None:
    arn = "arn:aws:iam::123456789012:user/alice"

    assert Caller().needs_iam
    assert Caller().partition(request(caller_arn=arn)) == arn
    assert Caller().partition(request()) is None


@pytest.mark.parametrize("name", ["", "x" * 2049, "\ud800"])
def test_what_cannot_be_a_key_is_nobodys_partition(name: str) -> None:
    assert Caller(lambda _: name).partition(request()) is None


def test_a_function_that_gives_no_text_is_named() -> None:
    caller = Caller(lambda _: 7)  # type: ignore[arg-type,return-value]

    assert not caller.needs_iam
    with pytest.raises(TypeError, match="partition_of returned a int"):
        caller.partition(request())
