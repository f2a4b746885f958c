"""Items as they come from DynamoDB and go out as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.sse_streaming.feeds.items import DynamoItemsIndex, ItemFields, item_json
from lambdas.sse_streaming.sentiment import SENTIMENT
from tests.fakes.feeds import JOBS, make_job
from tests.fakes.memory_aws import make_item

read_item = ItemFields(SENTIMENT).read
KEYS = {
    "item_id": {"S": "a"},
    "sentiment_type": {"S": "positive"},
    "published_at": {"N": "1795000000000"},
}


def json_of(**attributes: Any) -> Any:
    return json.loads(item_json(make_item("a", 1, **attributes), 5))


def test_an_item_is_read_with_its_key_and_order() -> None:
    item = read_item(KEYS)

    assert item is not None
    assert item.key == ("a", 1_795_000_000_000)
    assert item.order == (1_795_000_000_000, "a")


@pytest.mark.parametrize(
    ("number", "published"),
    [("1795000000000", 1_795_000_000_000), ("1795000000000.7", 1_795_000_000_000), ("1.5E3", 1500)],
)
def test_a_publication_time_may_be_written_in_any_way(number: str, published: int) -> None:
    item = read_item({**KEYS, "published_at": {"N": number}})

    assert item is not None
    assert item.published_at_ms == published


@pytest.mark.parametrize(
    "changes",
    [
        {"item_id": {"N": "1"}},
        {"published_at": {"S": "2026-11-21"}},
        {"published_at": {"N": "x"}},
        {"published_at": {}},
    ],
)
def test_what_no_index_would_hold_is_passed_over(changes: dict[str, Any]) -> None:
    assert read_item({**KEYS, **changes}) is None


@pytest.mark.parametrize("name", ["item_id", "published_at"])
def test_an_item_without_its_keys_is_passed_over(name: str) -> None:
    assert read_item({key: value for key, value in KEYS.items() if key != name}) is None


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ({"S": 'é"\\\n\u2028\U0001f600\0'}, 'é"\\\n\u2028\U0001f600\0'),
        ({"N": "0.5"}, 0.5),
        ({"N": "-12"}, -12),
        ({"N": "1E+3"}, 1000),
        ({"BOOL": True}, True),
        ({"BOOL": False}, False),
        ({"NULL": True}, None),
        ({"M": {}}, {}),
        ({"M": {"a": {"L": [{"N": "1"}, {"M": {"b": {"S": "c"}}}]}}}, {"a": [1, {"b": "c"}]}),
        ({"L": []}, []),
        ({"SS": ["b", "a"]}, ["a", "b"]),
        ({"NS": ["2", "1.5"]}, [2, 1.5]),
        ({"B": b"\x00\xff"}, "AP8="),
        ({"BS": [b"a", b"b"]}, ["YQ==", "Yg=="]),
    ],
)
def test_every_attribute_type_has_its_json(attribute: dict[str, Any], value: object) -> None:
    assert json_of(x=attribute)["x"] == value


def test_numbers_keep_all_their_digits() -> None:
    digits = "0.12345678901234567890123456789012345678"
    item = make_item("a", 1, score={"N": digits})

    assert f'"score":{digits}' in item_json(item, 0)


@pytest.mark.parametrize("number", ["+5", "05", "5.", ".5", "NaN", "Infinity"])
def test_a_number_in_a_form_that_json_lacks_gets_one(number: str) -> None:
    json.loads(item_json(make_item("a", 1, x={"N": number}), 0), parse_constant=pytest.fail)


def test_the_latency_is_ours_whatever_the_item_says() -> None:
    line = item_json(make_item("a", 1, latency_ms={"N": "99"}), 5)

    assert json.loads(line)["latency_ms"] == 5
    assert line.count("latency_ms") == 1


def test_an_item_is_one_line() -> None:
    attributes: dict[str, Any] = {"na\r\nme": {"S": "a\r\nb"}}
    line = item_json(make_item("a\n", 1, **attributes), 0)

    assert len(line.splitlines()) == 1


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(ValueError, match="'X'"):
        json_of(x={"X": 1})


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def attribute_of(value: object) -> dict[str, Any]:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case list():
            return {"L": [attribute_of(member) for member in value]}
        case dict():
            return {"M": {name: attribute_of(member) for name, member in value.items()}}
    raise TypeError(type(value))


@given(plain)
def test_json_says_what_the_item_says(value: object) -> None:
    assert json_of(x=attribute_of(value))["x"] == value


# Reading


class RecordingClient:
    """Notes what is asked; answers like an empty table."""

    def __init__(self, **answer: Any) -> None:
        self.queries: list[dict[str, Any]] = []
        self._answer = answer

    def query(self, **parameters: Any) -> dict[str, Any]:
        self.queries.append(parameters)
        return {"Items": [], **self._answer}


def test_a_page_is_a_bounded_range_of_time() -> None:
    """Without a lower bound every poll would read, and pay for, the whole index."""
    client = RecordingClient()

    index = DynamoItemsIndex(lambda: client, "items", "by_sentiment", SENTIMENT)
    index.page("positive", 10, 20, limit=5)

    (query,) = client.queries
    assert query["KeyConditionExpression"] == "#p = :p AND #t BETWEEN :a AND :b"
    assert query["ExpressionAttributeNames"] == {"#p": "sentiment_type", "#t": "published_at"}
    assert query["ExpressionAttributeValues"][":a"] == {"N": "10"}
    assert query["ExpressionAttributeValues"][":b"] == {"N": "20"}
    assert query["Limit"] == 5


def test_items_without_the_declared_attributes_are_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Else a misspelt declaration would be a stream in which nothing ever comes."""
    client = RecordingClient(Items=[{"id": {"S": "secret"}, "timestamp": {"N": "1"}}])
    index = DynamoItemsIndex(lambda: client, "jobs", "by_tenant", JOBS)

    for _ in range(2):
        assert index.page("a", 0, 9, limit=5).items == ()

    assert [record.getMessage() for record in caplog.records] == [
        "items of the index are passed over: they have no 'job_id' (S) or no 'timestamp' (N)"
    ]


# Seconds


@pytest.mark.parametrize(
    ("number", "published_ms"),
    [("1795000000", 1_795_000_000_000), ("1795000000.25", 1_795_000_000_250), ("1.5E3", 1_500_000)],
)
def test_times_in_seconds_become_milliseconds(number: str, published_ms: int) -> None:
    assert make_job("a", number).published_at_ms == published_ms


@pytest.mark.parametrize(
    ("time_ms", "number"),
    [(0, "0"), (1_795_000_000_000, "1795000000"), (1_795_000_000_001, "1795000000.001")],
)
def test_bounds_in_seconds_are_exact(time_ms: int, number: str) -> None:
    """Of whole seconds the query then takes those from the next one on, as if rounded up; of
    fractions it loses none."""
    client = RecordingClient()
    index = DynamoItemsIndex(lambda: client, "jobs", "by_tenant", JOBS)
    index.page("a", time_ms, time_ms, limit=5)

    values = client.queries[0]["ExpressionAttributeValues"]
    assert (values[":a"], values[":b"]) == ({"N": number}, {"N": number})


def test_the_time_that_a_page_stopped_at_is_scaled_too() -> None:
    key = {"tenant": {"S": "a"}, "timestamp": {"N": "1795000000"}, "other": {"S": "x"}}
    client = RecordingClient(LastEvaluatedKey=key)

    page = DynamoItemsIndex(lambda: client, "jobs", "by_tenant", JOBS).page("a", 0, 9, limit=5)

    assert (page.next_key, page.stopped_at_ms) == (key, 1_795_000_000_000)


@pytest.mark.parametrize("key", [{}, {"timestamp": {"N": "x"}}, {"timestamp": {"S": "1"}}])
def test_a_key_without_a_time_says_none(key: dict[str, Any]) -> None:
    assert ItemFields(JOBS).time_ms(key) is None
