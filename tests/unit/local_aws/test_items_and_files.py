from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from local_aws.drain import DrainError, drain_until
from local_aws.items import SENTIMENTS, ItemError, complete_item, generate_item
from local_aws.publish_file import publish, read_items, restamp

NOW_MS = 1_700_000_000_000


def test_the_same_seed_gives_the_same_items() -> None:
    first, second = (
        [generate_item(r, now_ms=NOW_MS) for _ in range(50)]
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
        item = generate_item(random, now_ms=NOW_MS)
        assert complete_item(item, now_ms=0) == item
        assert 0 <= item["score"] <= 1


def test_missing_id_and_time_are_filled_in_and_floats_become_decimals() -> None:
    item = complete_item(
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
        complete_item({"sentiment_type": "neutral", **broken}, now_ms=NOW_MS)


def test_bad_lines_are_named_and_empty_ones_skipped() -> None:
    lines = ["", '{"sentiment_type":"neutral"}', "{", "[]", '{"sentiment_type":1}']
    items, bad = read_items(lines, now_ms=NOW_MS)
    assert len(items) == 1
    assert [number for number, _ in bad] == [3, 4, 5]


def test_restamping_moves_the_earliest_to_now_and_keeps_the_spacing() -> None:
    items = [{"published_at": 5_000}, {"published_at": 1_000}]
    assert restamp(items, now_ms=NOW_MS) == [
        {"published_at": NOW_MS + 4_000},
        {"published_at": NOW_MS},
    ]
    assert restamp([], now_ms=NOW_MS) == []


@pytest.mark.parametrize(("keep_times", "expected"), [(True, 7), (False, NOW_MS)])
def test_times_are_kept_when_asked(keep_times: bool, expected: int) -> None:
    written: list[Mapping[str, Any]] = []
    said: list[str] = []
    line = json.dumps({"sentiment_type": "neutral", "published_at": 7})
    assert publish(
        [line],
        written.append,
        keep_times=keep_times,
        say=said.append,
        wall_clock=lambda: NOW_MS / 1000,
    )
    assert written[0]["published_at"] == expected
    assert said == ["1 published, 0 bad."]


def test_progress_is_said_every_two_seconds() -> None:
    said: list[str] = []
    ticks = iter(range(0, 100, 1))
    lines = [json.dumps({"sentiment_type": "neutral"})] * 6
    publish(lines, lambda _: None, keep_times=True, say=said.append, monotonic=lambda: next(ticks))
    assert "2 of 6 published …" in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, 1600.0),
        ("", 1600.0),
        ("0", 0),
        ("+60", 1060),
        ("1970-01-01T01:00:00Z", 3600),
        ("1970-01-01T01:00:00", 3600),
        ("1970-01-01T02:00:00+01:00", 3600),
    ],
)
def test_drain_ends_when_told(text: str | None, expected: float) -> None:
    assert drain_until(text, now=1000.0) == expected


@pytest.mark.parametrize("text", ["soon", "+", "12"])
def test_an_unreadable_end_of_a_drain_is_refused(text: str) -> None:
    with pytest.raises(DrainError, match="UNTIL="):
        drain_until(text, now=0.0)
