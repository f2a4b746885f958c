"""Saved filters in a real table."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_streaming.requests import BadRequest
from lambdas.sse_streaming.aws.errors import AwsRefused
from lambdas.sse_streaming.configurations import Configuration, DynamoConfigurations
from lambdas.sse_streaming.feeds.request import StreamFilter, read_filter
from lambdas.sse_streaming.sentiment import SENTIMENT
from tests.fakes.dynamodb import Database, counted_requests
from tests.fakes.feeds import sentiments

ALICE = "arn:aws:iam::123456789012:user/alice"


@pytest.fixture
def configurations(database: Database) -> DynamoConfigurations:
    return DynamoConfigurations(database.function_client, database.names.configurations, SENTIMENT)


def filter_of(found: Configuration) -> StreamFilter:
    return read_filter(SENTIMENT, found.given)


def save(database: Database, config_id: str, **attributes: Any) -> None:
    database.admin.put_item(
        TableName=database.names.configurations,
        Item={"config_id": {"S": config_id}, **attributes},
    )


def strings(*values: str) -> dict[str, Any]:
    return {"L": [{"S": value} for value in values]}


def test_a_saved_filter_is_found_with_its_owner(
    database: Database, configurations: DynamoConfigurations
) -> None:
    save(
        database,
        "mine",
        owner={"S": ALICE},
        sentiment=strings("positive", "negative"),
        tickers=strings("aapl", "MSFT"),
    )

    with counted_requests() as requests:
        found = configurations.find("mine")

    assert found is not None
    assert found.owner == ALICE
    assert filter_of(found) == sentiments(("negative", "positive"), {"AAPL", "MSFT"})
    assert [request.operation for request in requests] == ["GetItem"]


@pytest.mark.parametrize(
    "attributes", [{}, {"sentiment": strings(), "tickers": strings()}], ids=["absent", "empty"]
)
def test_no_sentiment_or_ticker_means_any(
    database: Database, configurations: DynamoConfigurations, attributes: dict[str, Any]
) -> None:
    save(database, "all", owner={"S": ALICE}, **attributes)

    found = configurations.find("all")
    assert found is not None
    assert filter_of(found) == sentiments()


def test_string_sets_serve_as_lists(
    database: Database, configurations: DynamoConfigurations
) -> None:
    save(database, "sets", owner={"S": ALICE}, tickers={"SS": ["AAPL", "MSFT"]})

    found = configurations.find("sets")

    assert found is not None
    assert filter_of(found) == sentiments(tickers={"AAPL", "MSFT"})


def test_an_unknown_one_is_none(configurations: DynamoConfigurations) -> None:
    assert configurations.find("nothing-here") is None


@pytest.mark.parametrize("config_id", ["", "a" * 2049, "\u00e9" * 1025, "\ud800"])
def test_what_cannot_be_an_id_is_not_asked_for(
    configurations: DynamoConfigurations, config_id: str
) -> None:
    with counted_requests() as requests:
        assert configurations.find(config_id) is None
    assert requests == []


@pytest.mark.parametrize("config_id", ["alerts:tech", "a b", "a/b#c", "\u00e9" * 1024])
def test_any_key_that_dynamodb_takes_is_an_id(
    database: Database, configurations: DynamoConfigurations, config_id: str
) -> None:
    save(database, config_id)

    assert configurations.find(config_id) is not None


def test_one_without_owner_belongs_to_nobody(
    database: Database, configurations: DynamoConfigurations
) -> None:
    save(database, "orphan")

    found = configurations.find("orphan")

    assert found is not None
    assert found.owner == ""


@pytest.mark.parametrize("name", ["sentiment", "tickers"])
def test_a_filter_saved_wrong_says_what_is_wrong(
    database: Database, configurations: DynamoConfigurations, name: str
) -> None:
    save(database, "bad", owner={"S": ALICE}, **{name: strings("not/valid")})

    found = configurations.find("bad")  # whose it is can be told all the same
    assert found is not None
    with pytest.raises(BadRequest, match=name.rstrip("s")):
        filter_of(found)


@pytest.mark.parametrize("value", [{"L": [{"S": ""}]}, {"L": [{"N": "5"}]}, {"S": ""}, {"M": {}}])
def test_a_filter_saved_as_nothing_sensible_does_not_mean_everything(
    database: Database, configurations: DynamoConfigurations, value: dict[str, Any]
) -> None:
    save(database, "odd", owner={"S": ALICE}, tickers=value)

    found = configurations.find("odd")

    assert found is not None
    with pytest.raises(BadRequest, match="ticker"):
        filter_of(found)


def test_a_single_string_is_a_list_of_one_not_everything(
    database: Database, configurations: DynamoConfigurations
) -> None:
    save(database, "single", owner={"S": ALICE}, sentiment={"S": "positive"})

    found = configurations.find("single")

    assert found is not None
    assert filter_of(found) == sentiments(("positive",))


def test_a_missing_table_is_a_permanent_fault(database: Database) -> None:
    with pytest.raises(AwsRefused, match="ResourceNotFoundException"):
        DynamoConfigurations(database.function_client, "no-such-table", SENTIMENT).find("mine")
