from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from local_aws.feed.feed_items import FeedItems
from local_aws.feed.items import NotWrittenError
from local_aws.feed.publish_file import publish_lines
from local_aws.feed.sentiment.items import SENTIMENT_ITEMS
from tests.fakes.declared_feeds import JOBS

NOW_MS = 1_700_000_000_000


class Published:
    """What `publish_lines` writes and says; refuses to write the ids in `refused`."""

    def __init__(self, *lines: bytes | dict[str, Any], keep_times: bool = True) -> None:
        self.items: list[Mapping[str, Any]] = []
        self.said: list[str] = []
        self.is_all_good = publish_lines(
            b"\n".join(x if isinstance(x, bytes) else line(**x) for x in lines),
            self._put,
            SENTIMENT_ITEMS,
            keep_times=keep_times,
            say=self.said.append,
            wall_clock=lambda: NOW_MS / 1000,
        )

    def _put(self, item: Mapping[str, Any]) -> None:
        if item["item_id"] == "refused":
            raise NotWrittenError("throttled")
        self.items.append(item)

    @property
    def times(self) -> list[int]:
        return [item["published_at"] - NOW_MS for item in self.items]


def line(**item: Any) -> bytes:
    return json.dumps({"sentiment_type": "neutral", **item}).encode()


def test_bad_lines_are_named_and_empty_ones_skipped() -> None:
    bad = [b"{", b"[]", b'{"sentiment_type":1}', line(score=1e200), line(headline="\ud800")]
    done = Published(b"", {}, *bad, b"  \r", {})
    assert len(done.items) == 2
    assert [text.split(":")[0] for text in done.said[:-1]] == [f"line {n}" for n in range(3, 8)]
    assert done.said[-1] == "2 published, 5 bad."
    assert not done.is_all_good


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\u200b"])
def test_only_a_line_feed_ends_a_line(separator: str) -> None:
    text = f'{{"sentiment_type":"neutral","headline":"a{separator}b"}}\r\n'
    done = Published(text.encode(), {})
    assert done.is_all_good
    assert done.items[0]["headline"] == f"a{separator}b"


def test_a_byte_that_is_not_utf8_spoils_its_own_line_only() -> None:
    done = Published({}, b'{"sentiment_type":"neutral","headline":"\xff"}', {})
    assert len(done.items) == 2
    assert done.said == ["line 2: not UTF-8: byte 41 is 0xff", "2 published, 1 bad."]


@pytest.mark.parametrize("rest", [line(), b"\n" + line()])
def test_a_byte_order_mark_may_begin_a_file(rest: bytes) -> None:
    assert Published(b"\xef\xbb\xbf" + rest).said == ["1 published, 0 bad."]


def test_an_item_that_cannot_be_written_keeps_no_other_back() -> None:
    done = Published({}, b"{", {"item_id": "refused"}, {})
    assert len(done.items) == 2
    assert "line 3: not written: throttled" in done.said
    assert done.said[-1] == "2 published, 1 bad, 1 not written."
    assert not done.is_all_good
    assert not Published({"item_id": "refused"}).is_all_good


def test_restamping_moves_the_earliest_to_now_and_keeps_the_spacing() -> None:
    lines = ({"published_at": 5_000}, {"published_at": 1_000})
    assert Published(*lines, keep_times=False).times == [4_000, 0]
    assert Published(keep_times=False).times == []


def test_a_line_without_a_time_is_published_now_and_moves_no_other() -> None:
    lines: tuple[dict[str, Any], ...] = ({}, {"published_at": 5_000}, {"published_at": 1_000})
    assert Published(*lines, keep_times=False).times == [0, 4_000, 0]
    assert Published({}, {"published_at": 7}).times == [0, 7 - NOW_MS]


def test_an_item_moved_beyond_the_range_of_times_is_not_written() -> None:
    lines = ({"published_at": 0}, {"published_at": 253_402_300_799_999})
    done = Published(*lines, keep_times=False)
    assert done.times == [0]
    assert done.said[0].startswith("line 2: not written: published_at is outside of")


def test_progress_is_said_every_two_seconds() -> None:
    said: list[str] = []
    ticks = iter(range(0, 100, 1))
    text = b"\n".join([line()] * 6)
    publish_lines(
        text,
        lambda _: None,
        SENTIMENT_ITEMS,
        keep_times=True,
        say=said.append,
        monotonic=lambda: next(ticks),
    )
    assert "2 of 6 published …" in said


def test_times_in_seconds_are_moved_in_seconds() -> None:
    written: list[Mapping[str, Any]] = []
    text = b'{"tenant": "a", "at": 5}\n{"tenant": "a", "at": 7}\n{"tenant": "a"}'
    publish_lines(
        text,
        written.append,
        FeedItems.declared(JOBS),
        keep_times=False,
        say=lambda _: None,
        wall_clock=lambda: NOW_MS / 1000,
    )
    assert [item["at"] - NOW_MS // 1000 for item in written] == [0, 2, 0]


def publish_jobs(**item: Any) -> list[str]:
    said: list[str] = []
    publish_lines(
        json.dumps(item).encode(),
        lambda _: None,
        FeedItems.declared(JOBS),
        keep_times=True,
        say=said.append,
        wall_clock=lambda: NOW_MS / 1000,
    )
    return said


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"tenant": "a", "job_idd": "7"}, "job_id was filled in; is job_idd meant for it?"),
        ({"tenant": "a", "state": "asleep"}, "no client can ask for this state: running, done"),
        ({"tennant": "a", "at": 1}, "tenant is missing; the item has tennant, at"),
    ],
)
def test_what_its_author_may_have_meant_is_asked(item: dict[str, Any], said: str) -> None:
    assert publish_jobs(**item)[0].startswith(f"line 1: {said}")


def test_a_line_that_is_in_order_raises_no_doubt() -> None:
    assert publish_jobs(tenant="a", job_id="7", at=1, state="done") == ["1 published, 0 bad."]
