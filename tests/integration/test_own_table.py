"""A feed on a table of one's own as a real engine keeps it: seconds, a sort key beside the id, key
attributes that are reserved words."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from lambdas.sse_streaming.configurations import DynamoConfigurations
from lambdas.sse_streaming.feeds.feed import Feed
from lambdas.sse_streaming.feeds.items import DynamoItemsIndex
from lambdas.sse_streaming.feeds.reader import FeedReader
from lambdas.sse_streaming.feeds.request import read_filter
from tests.fakes.dynamodb import Database
from tests.fakes.feeds import JOBS

START = 1_795_000_000
OVERLAP_MS = 10_000
TENANTS = ("a", "b", "c")
ALL = read_filter(JOBS, {"tenant": ",".join(TENANTS)})
_tables = itertools.count()


@dataclass(frozen=True, slots=True)
class Jobs:
    admin: Any
    table: str
    index: DynamoItemsIndex

    def put(self, job_id: str, timestamp: int | str, tenant: str = "a", **more: Any) -> None:
        item = {
            "job_id": {"S": job_id},
            "step": {"S": f"step of {job_id}"},
            "tenant": {"S": tenant},
            "timestamp": {"N": str(timestamp)},
            "status": {"S": "running"},
        }
        self.admin.put_item(TableName=self.table, Item={**item, **more})


@pytest.fixture
def jobs(database: Database) -> Jobs:
    table = f"jobs-{next(_tables)}-{database.names.items}"
    attributes = {"job_id": "S", "step": "S", "tenant": "S", "timestamp": "N"}
    database.admin.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind} for name, kind in attributes.items()
        ],
        KeySchema=[
            {"AttributeName": "job_id", "KeyType": "HASH"},
            {"AttributeName": "step", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": JOBS.index,
                "KeySchema": [
                    {"AttributeName": "tenant", "KeyType": "HASH"},
                    {"AttributeName": "timestamp", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    database.admin.get_waiter("table_exists").wait(TableName=table)
    index = DynamoItemsIndex(database.function_client, table, JOBS.index, JOBS)
    return Jobs(database.admin, table, index)


def sent_by(feed: Feed, reader: FeedReader, now_ms: int) -> list[tuple[int, str]]:
    """A whole cycle."""
    sent: list[tuple[int, str]] = []
    feed.begin(now_ms)
    while feed.is_reading:
        feed.absorb(reader.pages(feed.requests()))
        while (item := feed.take()) is not None:
            sent.append(item.order)
    return sent


def test_a_page_that_stops_names_every_key_and_says_when_in_milliseconds(jobs: Jobs) -> None:
    for number in range(3):
        jobs.put(f"j{number}", START + number)

    page = jobs.index.page("a", START * 1000, (START + 9) * 1000, limit=2)

    assert page.next_key is not None
    assert set(page.next_key) == {"job_id", "step", "tenant", "timestamp"}
    assert page.stopped_at_ms == (START + 1) * 1000


@pytest.mark.parametrize("page_items", [1, 2, 3, 200])
def test_all_is_sent_once_and_in_order_however_pages_end(
    jobs: Jobs, page_items: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several of the same second on both sides of a page's end, in three partitions."""
    monkeypatch.setattr("lambdas.sse_streaming.feeds.reader.PAGE_ITEMS", page_items)
    random = Random(page_items)
    for number in range(24):
        jobs.put(f"j{number:02d}", START + random.randrange(4), random.choice(TENANTS))
    reader = FeedReader(jobs.index)
    feed = Feed(ALL, overlap_ms=OVERLAP_MS, settled_ms=START * 1000)

    sent = sent_by(feed, reader, (START + 5) * 1000)

    assert len({item_id for _, item_id in sent}) == 24
    assert sent == sorted(set(sent))
    assert sent_by(feed, reader, (START + 6) * 1000) == []


def test_a_resume_between_two_seconds_loses_nothing_and_repeats_what_is_its_to_skip(
    jobs: Jobs,
) -> None:
    """A position is in milliseconds: 4.25 s is after the item of second 4, and before that of 5."""
    for number in range(10):
        jobs.put(f"j{number}", START + number)
    feed = Feed(ALL, overlap_ms=OVERLAP_MS, settled_ms=START * 1000 + 4250)

    sent = sent_by(feed, FeedReader(jobs.index), START * 1000 + 8_750)

    assert [item_id for _, item_id in sent] == ["j5", "j6", "j7", "j8", "j9"]


def test_both_bounds_hold_between_seconds_and_for_fractions(jobs: Jobs) -> None:
    jobs.put("whole", START + 1)
    jobs.put("before", f"{START + 1}.249")
    jobs.put("first", f"{START + 1}.25")
    jobs.put("last", f"{START + 2}.75")
    jobs.put("after", f"{START + 2}.751")

    page = jobs.index.page("a", START * 1000 + 1250, START * 1000 + 2750, limit=9)

    assert [item.key for item in page.items] == [
        ("first", START * 1000 + 1250),
        ("last", START * 1000 + 2750),
    ]


def test_a_backfill_looks_past_what_the_filter_holds_back(jobs: Jobs) -> None:
    for number in range(6):
        jobs.put(f"r{number}", START + number)
        jobs.put(f"d{number}", START + number, "b", status={"S": "done"})
    wanted = read_filter(JOBS, {"tenant": "a,b", "status": "done"})

    newest = FeedReader(jobs.index).newest(wanted, (START + 9) * 1000, 2)

    assert [item.item_id for item in newest] == ["d4", "d5"]


def test_a_saved_configuration_stands_for_the_schemas_parameters(database: Database) -> None:
    database.admin.put_item(
        TableName=database.names.configurations,
        Item={
            "config_id": {"S": "mine"},
            "owner": {"S": "arn"},
            "tenant": {"L": [{"S": "b"}, {"S": "a"}]},
            "status": {"S": "done"},
            "sentiment": {"S": "no parameter of this feed"},
        },
    )
    table = database.names.configurations
    found = DynamoConfigurations(database.function_client, table, JOBS).find("mine")

    assert found is not None
    assert read_filter(JOBS, found.given) == read_filter(JOBS, {"tenant": "b,a", "status": "done"})
