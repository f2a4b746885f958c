from __future__ import annotations

from random import Random
from typing import Any

import pytest

from local_aws.feed.feed_items import FeedItems
from local_aws.feed.first_steps import publishing, reading
from local_aws.feed.items import ItemError
from local_aws.feed.sentiment.declaration import SENTIMENT
from local_aws.feed.sentiment.items import SENTIMENT_ITEMS, items_of
from tests.fakes.declared_feeds import JOBS, WEATHER

NOW_MS = 1_700_000_000_999


def test_an_id_and_a_time_in_its_unit_are_filled_in() -> None:
    item = FeedItems.declared(JOBS).complete({"tenant": "a"}, now_ms=NOW_MS)

    assert item["job_id"]
    assert item["at"] == 1_700_000_000


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"tenant": None}, "tenant must be a string that is not empty"),
        ({"tenant": ""}, "tenant must be a string"),
        ({"tenant": 7}, "tenant must be a string"),
        ({"tenant": "é" * 1025}, "tenant has more than the 2048 bytes"),
        ({"job_id": 7}, "job_id must be a string"),
        ({"at": 1.5}, "at must be a whole number of epoch seconds"),
        ({"at": "2026-11-21T10:00:00Z"}, "at must be a whole number of epoch seconds"),
        ({"at": NOW_MS}, r"at is outside of epoch seconds \(are these milliseconds\?\)"),
    ],
)
def test_an_item_that_breaks_the_declaration_is_refused(
    broken: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ItemError, match=reason):
        FeedItems.declared(JOBS).complete({"tenant": "a", **broken}, now_ms=NOW_MS)


def test_a_fixed_partition_is_one_of_its_values() -> None:
    items = FeedItems.declared(WEATHER)

    assert items.complete({"region": "eu"}, now_ms=NOW_MS)["region"] == "eu"
    with pytest.raises(ItemError, match="region must be one of eu, us"):
        items.complete({"region": "asia"}, now_ms=NOW_MS)


def test_samples_keep_the_declaration() -> None:
    items, random = FeedItems.declared(WEATHER), Random(1)
    assert items.sample is not None

    samples = [items.sample(random, NOW_MS) for _ in range(20)]

    assert [items.complete(one, now_ms=0) for one in samples] == samples
    assert {one["region"] for one in samples} == {"eu", "us"}
    assert {one["kind"] for one in samples} == {"rain", "sun"}
    assert all(one["id"].startswith(items.sample_ids) for one in samples)


def test_no_samples_are_made_up_for_partitions_that_others_name() -> None:
    assert FeedItems.declared(JOBS).sample is None


def test_the_sentiments_items_keep_rules_of_their_own() -> None:
    assert items_of(SENTIMENT) is SENTIMENT_ITEMS
    with pytest.raises(ItemError, match="ticker must be"):
        items_of(SENTIMENT).complete({"sentiment_type": "neutral", "ticker": ""}, now_ms=NOW_MS)
    assert items_of(WEATHER).complete({"region": "eu", "ticker": ""}, now_ms=NOW_MS)


def test_the_first_steps_fit_the_declaration() -> None:
    url = "http://127.0.0.1:8080"

    assert "--aws-sigv4 aws:amz:us-east-1:lambda --user " in reading(JOBS, url, region="us-east-1")
    assert reading(WEATHER, url, region="us-east-1") == f"curl -N '{url}/stream?backfill=5'"
    assert publishing(JOBS) == """echo '{"tenant": "…"}' | make publish FILE=-"""
