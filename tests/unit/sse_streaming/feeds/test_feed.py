"""The feed's position, rule by rule."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from lambdas.sse_streaming.feeds.feed import Feed
from lambdas.sse_streaming.feeds.items import Item, Page, StartKey
from lambdas.sse_streaming.feeds.position import MAX_HASHES, SHORT_HASH_BYTES, item_hash
from lambdas.sse_streaming.feeds.request import StreamFilter
from tests.fakes.feeds import SENTIMENTS, sentiments
from tests.fakes.memory_aws import MemoryIndex, make_item

NOW = 1_795_000_000_000
OVERLAP = 10_000
ONE = StreamFilter(("positive",))
ALL = sentiments()


def feed_at(settled_ms: int = NOW - OVERLAP, wanted: StreamFilter = ONE) -> Feed:
    return Feed(wanted, overlap_ms=OVERLAP, settled_ms=settled_ms)


def page(*items: Item, more: bool = False) -> Page:
    """`more`: the page stopped at its last item, and there is another."""
    if not more:
        return Page(items)
    return Page(items, key_of(items[-1]), items[-1].published_at_ms)


def key_of(item: Item) -> StartKey:
    return {"item_id": {"S": item.item_id}, "published_at": {"N": str(item.published_at_ms)}}


def at(offset_ms: int, item_id: str = "", sentiment: str = "positive") -> Item:
    return make_item(item_id or f"i{offset_ms}", NOW + offset_ms, sentiment)


def taken(feed: Feed) -> list[str]:
    ids: list[str] = []
    while (item := feed.take()) is not None:
        ids.append(item.item_id)
    return ids


def cycle(feed: Feed, now_ms: int, *items: Item) -> list[str]:
    """A cycle that reads one page of one sentiment and sends all of it."""
    feed.begin(now_ms)
    feed.absorb({"positive": page(*items)})
    assert not feed.is_reading
    return taken(feed)


def poll(feed: Feed, index: MemoryIndex, now_ms: int, *, limit: int = 200) -> list[str]:
    """A whole cycle against an index, page by page."""
    sent: list[str] = []
    feed.begin(now_ms)
    while feed.is_reading:
        feed.absorb(
            {
                one.partition: index.page(
                    one.partition, one.since_ms, one.until_ms, limit=limit, start_key=one.start_key
                )
                for one in feed.requests()
            }
        )
        sent += taken(feed)
    return sent


# What is read


def test_a_poll_reads_from_the_position_to_now_and_the_overlap() -> None:
    feed = feed_at(NOW - 60_000)
    feed.begin(NOW)

    (request,) = feed.requests()

    assert (request.since_ms, request.until_ms) == (NOW - 60_000, NOW + OVERLAP)
    assert request.start_key is None


def test_after_a_finished_poll_the_position_is_its_start_less_the_overlap() -> None:
    feed = feed_at(NOW - 60_000)
    cycle(feed, NOW)

    assert feed.settled_ms == NOW - OVERLAP
    feed.begin(NOW + 1000)
    assert feed.requests()[0].since_ms == NOW - OVERLAP


def test_every_wanted_sentiment_is_a_query() -> None:
    feed = feed_at(wanted=ALL)
    feed.begin(NOW)

    assert tuple(request.partition for request in feed.requests()) == SENTIMENTS


def test_an_item_stamped_later_than_the_overlap_waits_until_it_is_due() -> None:
    index = MemoryIndex(lambda: 0)
    index.put(at(OVERLAP + 500, "future"))
    feed = feed_at()

    assert poll(feed, index, NOW) == []
    assert poll(feed, index, NOW + 1000) == ["future"]
    assert poll(feed, index, NOW + 2000) == []


# Once, and in order


def test_an_item_read_again_is_not_sent_again() -> None:
    feed = feed_at()

    assert cycle(feed, NOW, at(-5)) == ["i-5"]
    assert cycle(feed, NOW + 1000, at(-5), at(500)) == ["i500"]
    assert feed.duplicates_dropped == 1


def test_an_update_with_a_later_publication_is_a_new_item() -> None:
    feed = feed_at()

    assert cycle(feed, NOW, at(-5, "a")) == ["a"]
    assert cycle(feed, NOW + 1000, at(300, "a")) == ["a"]


def test_an_item_that_becomes_visible_late_is_sent_when_found() -> None:
    """Older than what was sent last, but inside the overlap."""
    feed = feed_at()

    assert cycle(feed, NOW, at(-5)) == ["i-5"]
    assert cycle(feed, NOW + 1000, at(-4000, "late"), at(-5)) == ["late"]


def test_a_batch_is_ordered_across_sentiments() -> None:
    feed = feed_at(wanted=ALL)
    feed.begin(NOW)
    feed.absorb(
        {
            "negative": page(at(-30, "c", "negative"), at(-10, "e", "negative")),
            "neutral": page(at(-40, "b", "neutral")),
            "positive": page(at(-50, "a"), at(-20, "d")),
        }
    )

    assert taken(feed) == ["a", "b", "c", "d", "e"]


def test_items_of_the_same_millisecond_are_ordered_by_id() -> None:
    feed = feed_at(wanted=ALL)
    feed.begin(NOW)
    feed.absorb(
        {
            "negative": page(at(-30, "b", "negative")),
            "neutral": page(at(-30, "c", "neutral")),
            "positive": page(at(-30, "a")),
        }
    )

    assert taken(feed) == ["a", "b", "c"]


def test_an_item_waits_for_the_unread_page_that_may_hold_an_older_one() -> None:
    feed = feed_at(wanted=StreamFilter(("negative", "positive")))
    feed.begin(NOW)
    feed.absorb(
        {
            "negative": page(at(-90, "a", "negative"), at(-80, "b", "negative"), more=True),
            "positive": page(at(-85, "ab"), at(-20, "z")),
        }
    )

    assert taken(feed) == ["a", "ab"], "b's millisecond may go on on the next page"
    assert [request.partition for request in feed.requests()] == ["negative"]
    feed.absorb({"negative": page(at(-80, "b2", "negative"), at(-70, "c", "negative"))})
    assert taken(feed) == ["b", "b2", "c", "z"]


def test_only_the_sentiment_that_holds_the_others_back_is_read_on() -> None:
    """What is far ahead waits, so that memory holds a page or two of each."""
    feed = feed_at(wanted=StreamFilter(("negative", "positive")))
    feed.begin(NOW)
    feed.absorb(
        {
            "negative": page(at(-9000, "a", "negative"), more=True),
            "positive": page(at(-100, "z"), more=True),
        }
    )

    assert [request.partition for request in feed.requests()] == ["negative"]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7])
def test_however_it_is_paged_all_comes_once_and_in_order(limit: int) -> None:
    """Many items share a millisecond on both sides of a page's end."""
    index = MemoryIndex(lambda: 0)
    for number in range(40):
        sentiment = SENTIMENTS[number % 3]
        index.put(at(-9000 + number // 7, f"i{number:02d}", sentiment))
    feed = feed_at(wanted=ALL)

    assert poll(feed, index, NOW, limit=limit) == [f"i{number:02d}" for number in range(40)]
    assert poll(feed, index, NOW + 1000, limit=limit) == []


# The position inside a batch


def test_the_position_does_not_pass_the_next_unsent_item() -> None:
    feed = feed_at(NOW - 60_000)
    feed.begin(NOW)
    feed.absorb({"positive": page(at(-50_000), at(-40_000), at(-5))})

    positions = [feed.settled_ms - NOW]
    while feed.take() is not None:
        positions.append(feed.settled_ms - NOW)

    assert positions == [-50_000, -40_000, -OVERLAP, -OVERLAP]


def test_an_unread_page_holds_the_position_back() -> None:
    feed = feed_at(NOW - 60_000)
    feed.begin(NOW)
    feed.absorb({"positive": page(at(-50_000), at(-40_000), more=True)})
    taken(feed)
    assert feed.settled_ms == NOW - 40_000, "the rest of that millisecond is not read yet"

    feed.absorb({"positive": page(at(-30_000))})
    taken(feed)
    assert feed.settled_ms == NOW - OVERLAP


def test_a_cut_between_two_pages_of_one_millisecond_loses_nothing() -> None:
    feed = feed_at(NOW - 60_000)
    feed.begin(NOW)
    feed.absorb({"positive": page(at(-40_000, "a"), at(-40_000, "b"), more=True)})
    sent = taken(feed)

    resumed = feed_at(feed.settled_ms)
    resumed.inherit(feed.recent_hashes(), until_ms=NOW + 2 * OVERLAP)
    sent += cycle(
        resumed, NOW + 1000, at(-40_000, "a"), at(-40_000, "b"), at(-40_000, "c"), at(-100, "d")
    )

    assert sent == ["a", "b", "c", "d"]


def test_a_filter_that_matches_nothing_does_not_hold_the_position_back() -> None:
    feed = feed_at(NOW - 60_000, sentiments(("positive",), {"MSFT"}))
    other = make_item("other", NOW - 50_000, ticker="AAPL")
    none = make_item("none", NOW - 40_000, ticker=None)

    assert cycle(feed, NOW, other, none) == []
    assert feed.settled_ms == NOW - OVERLAP
    assert not feed.overflows_id


def test_no_writers_clock_moves_the_position() -> None:
    feed = feed_at()
    cycle(feed, NOW, at(-OVERLAP), at(OVERLAP))

    assert feed.settled_ms == NOW - OVERLAP


def test_a_position_from_a_faster_clock_is_kept() -> None:
    """F never goes back, and what lies between is read once this clock gets there."""
    feed = feed_at(NOW + 15_000)
    feed.begin(NOW)
    (request,) = feed.requests()
    assert (request.since_ms, request.until_ms) == (NOW + 15_000, NOW + 15_000)

    feed.absorb({"positive": page(at(15_000, "edge"))})
    assert taken(feed) == ["edge"]
    assert feed.settled_ms == NOW + 15_000

    assert cycle(feed, NOW + 26_000, at(15_000, "edge"), at(15_500, "next")) == ["next"]
    assert feed.settled_ms == NOW + 16_000


def test_a_clock_that_steps_back_moves_no_position() -> None:
    feed = feed_at()
    cycle(feed, NOW + 30_000, at(25_000))

    assert cycle(feed, NOW, at(25_000)) == []
    assert feed.settled_ms == NOW + 20_000


# Failed reads


def test_a_cycle_of_which_nothing_was_read_begins_anew() -> None:
    feed = feed_at(NOW - 60_000)
    feed.begin(NOW)
    feed.failed()

    assert not feed.is_reading
    assert feed.settled_ms == NOW - 60_000
    feed.begin(NOW + 5000)
    assert feed.requests()[0].until_ms == NOW + 5000 + OVERLAP


def test_a_cycle_under_way_goes_on_with_the_page_that_failed() -> None:
    feed = feed_at(NOW - 60_000)
    feed.begin(NOW)
    feed.absorb({"positive": page(at(-50_000), more=True)})
    (before,) = feed.requests()
    feed.failed()

    assert feed.is_reading
    assert feed.requests() == [before]
    feed.absorb({"positive": page(at(-45_000))})
    assert taken(feed) == ["i-50000", "i-45000"]


# Where a stream begins


def test_what_was_there_before_is_seen_and_not_sent() -> None:
    feed = feed_at()
    feed.start_after([at(-500, "old").key], [], oldest_ms=0)

    assert cycle(feed, NOW + 1000, at(-500, "old"), at(500, "new")) == ["new"]


def test_a_backfill_is_sent_first_oldest_first() -> None:
    feed = feed_at()
    backfill = [at(-500, "c"), at(-90_000, "a"), at(-20_000, "b")]
    feed.start_after([at(-500, "c").key], backfill, oldest_ms=0)

    assert feed.settled_ms == NOW - 90_000
    assert taken(feed) == ["a", "b", "c"]
    assert cycle(feed, NOW + 1000, at(-500, "c")) == []
    assert feed.settled_ms == NOW + 1000 - OVERLAP


def test_a_backfill_from_long_ago_mints_no_expired_ids() -> None:
    """Otherwise every cut in it would bring it again from its beginning, and never the present."""
    feed = feed_at()
    feed.start_after([], [at(-7_200_000, "a"), at(-500, "b")], oldest_ms=NOW - 1_800_000)

    assert feed.settled_ms == NOW - 1_800_000
    assert taken(feed) == ["a", "b"]


def test_a_cut_in_a_backfill_resumes_with_the_rest_of_it() -> None:
    backfill = [at(-90_000, "a"), at(-20_000, "b"), at(-500, "c")]
    feed = feed_at()
    feed.start_after([backfill[2].key], backfill, oldest_ms=0)
    first = feed.take()
    assert first is not None

    resumed = feed_at(feed.settled_ms)
    resumed.inherit(feed.recent_hashes(), until_ms=NOW + 2 * OVERLAP)

    index = MemoryIndex(lambda: 0)
    for item in backfill:
        index.put(item)
    assert poll(resumed, index, NOW + 1000) == ["b", "c"]


# Resuming elsewhere


def resumed_from(feed: Feed) -> Feed:
    """On another environment, with what an id carries."""
    other = feed_at(feed.settled_ms)
    other.inherit(feed.recent_hashes(), until_ms=NOW + 100_000)
    return other


def test_what_the_id_names_is_not_sent_again() -> None:
    feed = feed_at()
    items = [at(-700 + 100 * number) for number in range(MAX_HASHES)]
    cycle(feed, NOW, *items)
    assert not feed.overflows_id

    other = resumed_from(feed)

    assert cycle(other, NOW + 1000, *items, at(500)) == ["i500"]
    assert other.duplicates_dropped == MAX_HASHES


def test_an_index_that_lags_on_the_second_environment_repeats_nothing() -> None:
    """The item inherited is not visible there yet; when it is, it is still known."""
    feed = feed_at()
    cycle(feed, NOW, at(-700, "a"), at(-600, "b"))
    other = resumed_from(feed)

    assert cycle(other, NOW + 1000) == []
    assert cycle(other, NOW + 2000, at(-700, "a")) == []
    assert cycle(other, NOW + 3000, at(-700, "a"), at(-600, "b"), at(1, "c")) == ["c"]


def test_inherited_hashes_are_handed_on_until_they_were_met() -> None:
    """Cut again before anything was read: the third connection still knows what the first sent."""
    feed = feed_at()
    items = (at(-700, "a"), at(-600, "b"))
    cycle(feed, NOW, *items)

    third = resumed_from(resumed_from(feed))

    assert cycle(third, NOW + 1000, *items) == []


def test_inherited_hashes_are_forgotten_when_nothing_they_name_is_read_again() -> None:
    feed = feed_at()
    feed.inherit([b"12345"], until_ms=NOW)
    cycle(feed, NOW + OVERLAP, at(OVERLAP))
    assert b"12345" in feed.recent_hashes()

    cycle(feed, NOW + 2 * OVERLAP)
    cycle(feed, NOW + 2 * OVERLAP + 1000)

    assert b"12345" not in feed.recent_hashes()


def test_long_hashes_of_a_record_serve_as_well() -> None:
    item = at(-700)
    feed = feed_at()
    feed.inherit([item_hash(*item.key)], until_ms=NOW + OVERLAP)

    assert cycle(feed, NOW, item) == []


def test_the_hashes_are_of_the_last_seven_since_the_position_oldest_first() -> None:
    feed = feed_at()
    items = [at(-900 + 50 * number) for number in range(10)]
    cycle(feed, NOW, *items)

    assert list(feed.recent_hashes()) == [
        item_hash(*item.key)[:SHORT_HASH_BYTES] for item in items[-MAX_HASHES:]
    ]


def test_the_hashes_are_the_same_however_often_they_are_asked_for() -> None:
    """They are kept up from one item to the next while the position stands still."""
    inherited = [item_hash(f"known{number}", NOW - number)[:5] for number in range(5)]
    batches = [
        (0, [at(-50_000 + 900 * number, f"late{number}") for number in range(20)]),
        (10, [at(0, "now")]),
        (10, [at(-number, f"known{number}") for number in range(3)]),
        (10, [at(number, f"now{number}") for number in range(10)]),
        (OVERLAP + 15, []),
    ]

    def hashes(cycles: int, *, asked_always: bool) -> tuple[bytes, ...]:
        feed = feed_at(NOW - 60_000)
        feed.inherit(inherited, until_ms=NOW)
        for offset_ms, batch in batches[:cycles]:
            feed.begin(NOW + offset_ms)
            feed.absorb({"positive": page(*batch)})
            while feed.take() is not None:
                if asked_always:
                    feed.recent_hashes()
        return feed.recent_hashes()

    for cycles in range(len(batches) + 1):
        assert hashes(cycles, asked_always=True) == hashes(cycles, asked_always=False), cycles


def test_what_was_published_before_the_position_needs_no_hash() -> None:
    """A resume does not read it again."""
    feed = feed_at(NOW - 60_000)
    cycle(feed, NOW, at(-50_000), at(-100))

    assert feed.recent_hashes() == (item_hash(*at(-100).key)[:SHORT_HASH_BYTES],)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 30])
def test_more_than_an_id_can_carry_is_noticed(count: int) -> None:
    feed = feed_at()
    cycle(feed, NOW, *(at(-900 + number) for number in range(count)))

    assert feed.overflows_id is (count > MAX_HASHES)


def test_what_was_there_before_the_client_does_not_overflow_an_id() -> None:
    feed = feed_at()
    feed.start_after([at(-900 + number).key for number in range(50)], [], oldest_ms=0)

    assert not feed.overflows_id
    assert feed.recent_hashes() == ()


def test_a_record_covers_everything_a_resume_must_not_send() -> None:
    """Sent, seen before the client came, and inherited without having been met."""
    feed = feed_at()
    feed.inherit([b"short", b"longhash"], until_ms=NOW + OVERLAP)
    feed.start_after([at(-900, "before").key], [], oldest_ms=0)
    sent = [at(-800 + number) for number in range(9)]
    cycle(feed, NOW, at(-900, "before"), *sent)

    long_hashes, short_hashes = feed.window_hashes()

    assert set(long_hashes) == {
        item_hash("before", NOW - 900),
        *(item_hash(*item.key) for item in sent),
        b"longhash",
    }
    assert short_hashes == [b"short"]

    other = feed_at(feed.settled_ms)
    other.inherit([*long_hashes, *short_hashes], until_ms=NOW + 2 * OVERLAP)
    assert cycle(other, NOW + 1000, at(-900, "before"), *sent, at(1, "new")) == ["new"]


# Memory


def test_memory_is_flat_over_a_hundred_thousand_items_and_linear_time_short() -> None:
    """What a poll no longer reads is forgotten: a thousand items a second for minutes."""
    feed = feed_at()
    started, largest, total = time.process_time(), 0, 0
    for second in range(100):
        now_ms = NOW + 1000 * second
        items = [make_item(f"{second}.{n}", now_ms - 1000 + n) for n in range(1000)]
        feed.begin(now_ms)
        feed.absorb({"positive": page(*items)})
        total += len(taken(feed))
        largest = max(largest, len(feed._seen), len(feed._window))

    assert total == 100_000
    assert largest <= 13 * 1000
    assert time.process_time() - started < 20


def test_a_catch_up_over_a_million_items_remembers_only_the_overlap() -> None:
    """Pages of an hour ago are never read again, so they leave nothing behind."""
    template = at(0)
    feed = feed_at(NOW - 3_600_000)
    feed.begin(NOW)
    largest = 0
    for number in range(5_000):
        published = NOW - 3_600_000 + 700 * number
        items = tuple(Item(f"{number}.{n}", published + n, template.attributes) for n in range(200))
        feed.absorb({"positive": page(*items, more=number < 4_999)})
        taken(feed)
        largest = max(largest, len(feed._seen) + len(feed._window) + len(feed._held))

    assert not feed.is_reading
    assert largest <= 5_000


def test_absorbing_tells_how_many_were_new() -> None:
    feed = feed_at(wanted=sentiments(("positive",), {"AAPL"}))
    feed.begin(NOW)
    pages: Mapping[str, Page] = {
        "positive": page(at(-5), make_item("other", NOW - 4, ticker="MSFT"), at(-3))
    }

    assert feed.absorb(pages) == 2
    assert feed.has_ready
