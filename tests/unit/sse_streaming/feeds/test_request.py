"""What a client asks for, by the schema."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_streaming.requests import BadRequest
from lambdas.sse_streaming import Caller, FeedSchema, Filter, FixedValues, QueryParameter
from lambdas.sse_streaming.feeds.request import StreamFilter, Wanted, read_filter
from tests.fakes.feeds import JOBS


def chosen(by: Any, **given: str) -> tuple[str, ...]:
    return read_filter(FeedSchema("e", "part", by, "at", "id"), given).partitions


def refusal(schema: FeedSchema, **given: str) -> str:
    with pytest.raises(BadRequest) as raised:
        read_filter(schema, given)
    assert raised.value.code == "invalid_parameter"
    return raised.value.message


def test_fixed_values_without_a_parameter_are_always_all() -> None:
    assert chosen(FixedValues(("b", "a")), part="a") == ("b", "a")


def test_of_fixed_values_a_client_may_choose_some_in_their_order() -> None:
    by = FixedValues(("b", "a", "c"), "region")

    assert chosen(by) == ("b", "a", "c")
    assert chosen(by, region="c, b,c") == ("b", "c")


def test_a_query_parameter_is_required() -> None:
    assert refusal(JOBS) == (
        "tenant: required, a comma-separated list of at most 3, each 1 to 64 of letters, digits,"
        " _ . -"
    )


@pytest.mark.parametrize("text", ["", "a,,b", "a,b,c,d", "a,a,a,a", "a/b", "x" * 65, "s3cr3t!"])
def test_partitions_that_do_not_fit_are_refused_without_being_repeated(text: str) -> None:
    message = refusal(JOBS, tenant=text)

    assert message.startswith("tenant: a comma-separated list of at most 3")
    assert "s3cr3t" not in message


def test_partitions_come_once_each_in_the_order_that_was_asked_for() -> None:
    assert read_filter(JOBS, {"tenant": "b, a,b"}).partitions == ("b", "a")


def test_one_partition_is_asked_for_in_the_singular() -> None:
    schema = FeedSchema(
        "e", "part", QueryParameter("id", pattern="[0-9]+", at_most=1), "at", "item"
    )

    assert read_filter(schema, {"id": "17"}).partitions == ("17",)
    assert refusal(schema, id="1,2") == "id: one value, matching [0-9]+"


@pytest.mark.parametrize("text", ["", "x" * 2049])
def test_a_pattern_that_takes_anything_takes_no_key_that_dynamodb_refuses(text: str) -> None:
    schema = FeedSchema("e", "part", QueryParameter("id", pattern=".*"), "at", "item")

    assert refusal(schema, id=text).startswith("id: ")


def test_no_parameter_changes_a_callers_partition() -> None:
    schema = FeedSchema("e", "part", Caller(), "at", "id")

    assert read_filter(schema, {"part": "other"}, "mine").partitions == ("mine",)


def test_values_of_a_filter_are_of_a_closed_set() -> None:
    wanted = read_filter(JOBS, {"tenant": "a", "status": "done, queued"})

    assert wanted == StreamFilter(("a",), (Wanted("status", frozenset({"done", "queued"})),))
    assert refusal(JOBS, tenant="a", status="done,lost") == (
        "status: a comma-separated list of queued, running, done"
    )


def test_a_filter_by_pattern_says_its_words_and_how_many() -> None:
    schema = FeedSchema(
        "e",
        "part",
        FixedValues(("p",)),
        "at",
        "id",
        filters=(Filter("size", "sizes", pattern="[0-9]{1,3}", at_most=2, in_words="a number"),),
    )

    assert read_filter(schema, {"sizes": "1,2"}).filters[0].values == {"1", "2"}
    assert refusal(schema, sizes="1,2,3") == (
        "sizes: a comma-separated list of at most 2, each a number"
    )


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        ({"S": "done"}, True),
        ({"S": "DONE"}, False),
        ({"N": "5"}, True),
        ({"N": "5.0"}, False),
        ({"NULL": True}, False),
        ({"SS": ["done"]}, False),
        ({}, False),
    ],
)
def test_texts_and_numbers_are_compared_as_text(value: dict[str, Any], passes: bool) -> None:
    assert Wanted("status", frozenset({"done", "5"})).passes({"status": value}) is passes


def test_an_item_without_the_attribute_does_not_match() -> None:
    assert not Wanted("status", frozenset({"done"})).passes({"other": {"S": "done"}})


def test_upper_case_is_of_the_items_side_too() -> None:
    assert Wanted("ticker", frozenset({"BRK.B"}), uppercase=True).passes({"ticker": {"S": "brk.b"}})


def test_an_item_has_to_pass_every_filter() -> None:
    both = StreamFilter(("a",), (Wanted("x", frozenset({"1"})), Wanted("y", frozenset({"2"}))))

    assert both.passes({"x": {"S": "1"}, "y": {"S": "2"}})
    assert not both.passes({"x": {"S": "1"}, "y": {"S": "1"}})
    assert StreamFilter(("a",)).passes({})
