"""Pages of the index as a real engine cuts them."""

from __future__ import annotations

from typing import Any

import pytest

from lambdas.sse_streaming.aws.errors import AwsRefused
from lambdas.sse_streaming.feeds.feed import Feed
from lambdas.sse_streaming.feeds.items import DynamoItemsIndex, Item, StartKey
from lambdas.sse_streaming.feeds.reader import FeedReader
from lambdas.sse_streaming.feeds.request import StreamFilter
from lambdas.sse_streaming.sentiment import SENTIMENT
from tests.fakes.dynamodb import Database, counted_requests
from tests.fakes.feeds import sentiments

START = 1_795_000_000_000
FOREVER = START + 10**9


@pytest.fixture
def index(database: Database) -> DynamoItemsIndex:
    return DynamoItemsIndex(
        database.function_client, database.names.items, database.names.items_index, SENTIMENT
    )


def publish(
    database: Database, *published: int, sentiment: str = "positive", prefix: str = "i", **more: Any
) -> None:
    for number, at in enumerate(published):
        database.admin.put_item(
            TableName=database.names.items,
            Item={
                "item_id": {"S": f"{prefix}{number:03d}"},
                "sentiment_type": {"S": sentiment},
                "published_at": {"N": str(START + at)},
                **more,
            },
        )


def read_all(index: DynamoItemsIndex, limit: int, *, newest_first: bool = False) -> list[Item]:
    items: list[Item] = []
    key: StartKey | None = None
    while True:
        page = index.page(
            "positive", START, FOREVER, limit=limit, start_key=key, newest_first=newest_first
        )
        assert len(page.items) <= limit
        items.extend(page.items)
        if page.next_key is None:
            return items
        key = page.next_key


def test_items_come_in_order_of_publication(database: Database, index: DynamoItemsIndex) -> None:
    publish(database, 30, 10, 20)

    assert [item.published_at_ms - START for item in read_all(index, 100)] == [10, 20, 30]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10, 11])
@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_hold_everything_once(
    database: Database, index: DynamoItemsIndex, limit: int, newest_first: bool
) -> None:
    """Ten items, several of the same millisecond on both sides of a page's end."""
    publish(database, 1, 2, 2, 2, 3, 3, 3, 3, 4, 5)

    items = read_all(index, limit, newest_first=newest_first)

    times = [item.published_at_ms - START for item in items]
    assert times == sorted([1, 2, 2, 2, 3, 3, 3, 3, 4, 5], reverse=newest_first)
    assert len({item.item_id for item in items}) == 10


def test_a_page_that_stops_says_at_which_time(database: Database, index: DynamoItemsIndex) -> None:
    """The feed derives from it how far an unread page may reach back."""
    publish(database, 1, 2, 3)

    page = index.page("positive", START, FOREVER, limit=2)

    assert page.next_key is not None
    assert page.next_key["published_at"] == {"N": str(START + 2)}
    assert page.stopped_at_ms == START + 2


def test_both_bounds_are_inclusive(database: Database, index: DynamoItemsIndex) -> None:
    publish(database, 1, 2, 3, 4)

    page = index.page("positive", START + 2, START + 3, limit=10)

    assert [item.published_at_ms - START for item in page.items] == [2, 3]


def test_sentiments_are_apart(database: Database, index: DynamoItemsIndex) -> None:
    publish(database, 1)
    publish(database, 2, sentiment="negative", prefix="n")

    assert [item.item_id for item in index.page("negative", START, FOREVER, limit=9).items] == [
        "n000"
    ]


def test_an_update_leaves_only_the_new_version(database: Database, index: DynamoItemsIndex) -> None:
    publish(database, 1)
    publish(database, 5)

    (item,) = read_all(index, 10)

    assert item.key == ("i000", START + 5)


def test_every_type_of_attribute_comes_through(database: Database, index: DynamoItemsIndex) -> None:
    more: dict[str, Any] = {
        "ticker": {"S": "AAPL"},
        "score": {"N": "0.123456789012345678901234567890123456"},
        "flags": {"SS": ["a", "b"]},
        "nested": {"M": {"list": {"L": [{"NULL": True}, {"BOOL": False}]}}},
        "blob": {"B": b"\x00\xff"},
    }
    publish(database, 1, **more)

    (item,) = read_all(index, 10)

    assert {name: item.attributes[name] for name in more} == more


def test_a_page_is_one_request(database: Database, index: DynamoItemsIndex) -> None:
    publish(database, 1, 2)

    with counted_requests() as requests:
        index.page("positive", START, FOREVER, limit=10)

    assert [(one.operation, one.table) for one in requests] == [("Query", database.names.items)]


def test_a_missing_index_is_a_permanent_fault(database: Database) -> None:
    index = DynamoItemsIndex(
        database.function_client, database.names.items, "no-such-index", SENTIMENT
    )

    with pytest.raises(AwsRefused):
        index.page("positive", START, FOREVER, limit=1)


@pytest.mark.parametrize("count", [1, 3, 100])
def test_a_backfill_is_the_newest_of_all_sentiments(
    database: Database, index: DynamoItemsIndex, count: int
) -> None:
    publish(database, 1, 3, 5)
    publish(database, 2, 4, 6, sentiment="negative", prefix="n")

    newest = FeedReader(index).newest(sentiments(), FOREVER, count)

    assert [item.published_at_ms - START for item in newest] == [1, 2, 3, 4, 5, 6][-count:]


def test_a_backfill_with_tickers_looks_past_what_does_not_match(
    database: Database, index: DynamoItemsIndex
) -> None:
    publish(database, 1, 2, ticker={"S": "AAPL"}, prefix="a")
    publish(database, *range(10, 20), ticker={"S": "MSFT"}, prefix="m")
    wanted = sentiments(("positive",), {"AAPL"})

    newest = FeedReader(index).newest(wanted, FOREVER, 2)

    assert [item.item_id for item in newest] == ["a000", "a001"]


def test_a_feed_over_real_pages_sends_all_once_and_in_order(
    database: Database, index: DynamoItemsIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.sse_streaming.feeds.reader.PAGE_ITEMS", 3)
    publish(database, *(number // 3 for number in range(12)))
    publish(database, *range(8), sentiment="neutral", prefix="n")
    feed = Feed(sentiments(), overlap_ms=10_000, settled_ms=START)
    reader = FeedReader(index)

    sent: list[tuple[int, str]] = []
    feed.begin(START + 5_000)
    while feed.is_reading:
        feed.absorb(reader.pages(feed.requests()))
        while (item := feed.take()) is not None:
            sent.append(item.order)

    assert len(sent) == 20
    assert sent == sorted(set(sent))


def test_pages_cut_at_a_megabyte_lose_nothing(database: Database, index: DynamoItemsIndex) -> None:
    """Each engine cuts at another item, long before the limit of items."""
    publish(database, *range(25), headline={"S": "x" * 100_000})
    first = index.page("positive", START, FOREVER, limit=200)
    assert first.next_key is not None
    feed = Feed(StreamFilter(("positive",)), overlap_ms=10_000, settled_ms=START)

    sent: list[int] = []
    feed.begin(START + 5_000)
    while feed.is_reading:
        feed.absorb(FeedReader(index).pages(feed.requests()))
        while (item := feed.take()) is not None:
            sent.append(item.published_at_ms - START)

    assert sent == list(range(25))
