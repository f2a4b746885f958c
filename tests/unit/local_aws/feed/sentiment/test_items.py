from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from local_aws.feed.items import ItemError, parse_item
from local_aws.feed.sentiment.items import SENTIMENT_ITEMS, SENTIMENTS, generate_item

NOW_MS = 1_700_000_000_000


def test_the_same_seed_gives_the_same_items() -> None:
    first, second = (
        [generate_item(r, NOW_MS) for _ in range(50)]
        for r in (
            Random(1),
            Random(1),
        )
    )
    assert first == second
    assert {item["sentiment_type"] for item in first} == set(SENTIMENTS)
    assert len({item["item_id"] for item in first}) == 50


def test_generated_items_keep_the_contract() -> None:
    random = Random(2)
    for _ in range(200):
        item = generate_item(random, NOW_MS)
        assert SENTIMENT_ITEMS.complete(item, now_ms=0) == item
        assert 0 <= item["score"] <= 1


def test_missing_id_and_time_are_filled_in_and_floats_become_decimals() -> None:
    item = SENTIMENT_ITEMS.complete(
        {"sentiment_type": "neutral", "score": 0.1, "more": {"list": [1.5]}}, now_ms=NOW_MS
    )
    assert item["item_id"]
    assert item["published_at"] == NOW_MS
    assert item["score"] == Decimal("0.1")
    assert item["more"] == {"list": [Decimal("1.5")]}


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"sentiment_type": "glad"}, "sentiment_type"),
        ({"item_id": 1}, "item_id"),
        ({"item_id": ""}, "item_id"),
        ({"published_at": "now"}, "published_at"),
        ({"published_at": True}, "published_at"),
        ({"published_at": -1}, "published_at"),
        ({"ticker": "TOO LONG A TICKER"}, "ticker"),
        ({"ticker": None}, "ticker"),
        ({"score": float("nan")}, "NaN"),
    ],
)
def test_an_item_that_breaks_the_contract_is_refused(broken: dict[str, Any], reason: str) -> None:
    with pytest.raises(ItemError, match=reason):
        SENTIMENT_ITEMS.complete({"sentiment_type": "neutral", **broken}, now_ms=NOW_MS)


def nested(levels: int) -> Any:
    """A value with `levels` of lists and maps around it, by turns."""
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


def of_size(size: int) -> dict[str, Any]:
    """An item that DynamoDB counts `size` bytes for."""
    item = {"item_id": "a", "sentiment_type": "neutral", "published_at": 1, "more": [-12345, None]}
    counted = 7 + 1 + 14 + 7 + 12 + 2 + 4 + (3 + 1 + 5 + 1 + 1)
    return {**item, "text": "é" * ((size - counted - 4) // 2) + "e" * ((size - counted) % 2)}


@pytest.mark.parametrize(
    ("beyond", "reason"),
    [
        ({"score": 1e200}, "score is out of DynamoDB's range"),
        ({"score": Decimal("1E-131")}, "score is out of DynamoDB's range"),
        ({"score": int("1" * 60)}, "score has more digits than DynamoDB's 38"),
        ({"more": {"in": ["\ud800"]}}, "more.in holds half of a surrogate pair"),
        ({"\ud800": 1}, "name of an attribute in the item holds half of a surrogate pair"),
        ({"": 1}, "whose name is empty or above 64 KB"),
        ({"a" * 65_536: 1}, "whose name is empty or above 64 KB"),
        ({"more": nested(32)}, "nested deeper than DynamoDB's 32 levels"),
        ({"item_id": "é" * 1024 + "e"}, "item_id has more than the 2048 bytes"),
        (of_size(409_601), "409601 bytes as DynamoDB counts, at most 409600"),
        ({"more": b"bytes"}, "more is of a type that JSON lacks: bytes"),
    ],
)
def test_an_item_beyond_dynamodbs_limits_is_refused(beyond: dict[str, Any], reason: str) -> None:
    with pytest.raises(ItemError, match=reason):
        SENTIMENT_ITEMS.complete({"sentiment_type": "neutral", **beyond}, now_ms=NOW_MS)


@pytest.mark.parametrize(
    "within",
    [
        {"score": Decimal("-1E-130"), "other": Decimal("9." + "9" * 37 + "E+125")},
        {"score": 10**50, "other": Decimal("0E-200"), "third": Decimal("0.5" + "0" * 40)},
        {"more": nested(31)},
        {"item_id": "é" * 1024},
        of_size(409_600),
        {"a" * 65_535: None, "empty": ["", {}, []]},
    ],
)
def test_an_item_at_dynamodbs_limits_is_kept_and_boto3_takes_it(within: dict[str, Any]) -> None:
    item = SENTIMENT_ITEMS.complete({"sentiment_type": "neutral", **within}, now_ms=NOW_MS)
    assert {name: item[name] for name in within} == within
    TypeSerializer().serialize(item)


def test_numbers_are_read_as_exactly_as_they_are_written() -> None:
    item = parse_item(b'\xef\xbb\xbf{"a":0.12345678901234567890,"b":7,"c":1e2}')
    assert item == {"a": Decimal("0.12345678901234567890"), "b": 7, "c": Decimal(100)}
    assert len(str(parse_item(b'{"a":' + b"9" * 5000 + b"}")["a"])) == 5000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a":"\xff"}', "not UTF-8: byte 7 is 0xff"),
        (b"{", "not JSON: .* at character 2"),
        (b"7", "not a JSON object"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper"),
        (b'{"a":1e99999999999999999999}', "1e99999999999999999999 is out of"),
    ],
)
def test_a_text_that_is_no_item_is_refused_by_what_is_wrong(text: bytes, reason: str) -> None:
    with pytest.raises(ItemError, match=reason):
        parse_item(text)
