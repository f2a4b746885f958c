"""Reads that a feed asks for, bounded in number."""

from __future__ import annotations

import pytest

from lambdas.sse_streaming.aws.errors import AwsUnavailable
from lambdas.sse_streaming.feeds.feed import PageRequest
from lambdas.sse_streaming.feeds.reader import PAGE_ITEMS, FeedReader, matching
from tests.fakes.feeds import SENTIMENTS, sentiments
from tests.fakes.memory_aws import MemoryIndex, make_item

NOW = 1_795_000_000_000


@pytest.fixture
def index() -> MemoryIndex:
    return MemoryIndex(lambda: NOW)


def test_one_page_per_request(index: MemoryIndex) -> None:
    for number in range(PAGE_ITEMS + 5):
        index.put(make_item(f"{number:04d}", NOW + number))

    pages = FeedReader(index).pages(
        [PageRequest(sentiment, NOW, NOW + 10_000, None) for sentiment in SENTIMENTS]
    )

    assert {name: len(page.items) for name, page in pages.items()} == {
        "negative": 0,
        "neutral": 0,
        "positive": PAGE_ITEMS,
    }
    assert pages["positive"].next_key is not None
    assert index.queries == 3


def test_a_window_is_read_whole(index: MemoryIndex) -> None:
    for number in range(2500):
        index.put(make_item(f"{number:04d}", NOW + number % 7, SENTIMENTS[number % 2]))
    index.put(make_item("outside", NOW + 100))

    assert len(FeedReader(index).window(sentiments(), NOW, NOW + 50)) == 2500


def test_a_window_holds_what_the_filter_lets_pass(index: MemoryIndex) -> None:
    index.put(make_item("a", NOW, ticker="AAPL"))
    index.put(make_item("m", NOW, ticker="MSFT"))
    index.put(make_item("none", NOW, ticker=None))
    wanted = sentiments(("positive",), {"AAPL"})

    assert FeedReader(index).window(wanted, NOW, NOW) == [("a", NOW)]


def test_the_newest_are_the_newest_of_all_sentiments_oldest_first(index: MemoryIndex) -> None:
    for number in range(9):
        index.put(make_item(f"i{number}", NOW + number, SENTIMENTS[number % 3]))

    newest = FeedReader(index).newest(sentiments(), NOW + 100, 4)

    assert [item.item_id for item in newest] == ["i5", "i6", "i7", "i8"]


def test_a_ticker_that_hardly_occurs_does_not_make_a_backfill_read_everything(
    index: MemoryIndex,
) -> None:
    index.put(make_item("rare", NOW - 1, ticker="RARE"))
    for number in range(1500):
        index.put(make_item(f"{number:04d}", NOW + number))
    wanted = sentiments(("positive",), {"RARE"})

    assert FeedReader(index).newest(wanted, NOW + 10_000, 5) == []
    assert index.queries == 10


def test_a_failed_read_drops_what_was_read_before(index: MemoryIndex) -> None:
    def fail() -> None:
        if index.queries == 2:
            raise AwsUnavailable("InternalServerError", "m")

    index.fail = fail

    with pytest.raises(AwsUnavailable):
        FeedReader(index).pages([PageRequest(name, NOW, NOW, None) for name in SENTIMENTS])


def test_without_tickers_everything_matches() -> None:
    items = [make_item("a", 1, ticker=None), make_item("b", 2)]

    assert list(matching(items, sentiments())) == items
