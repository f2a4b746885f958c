from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError, EndpointConnectionError

from local_aws.sentiment.drain import DrainError, drain_until
from local_aws.sentiment.items import (
    SENTIMENTS,
    ItemError,
    NotWrittenError,
    complete_item,
    generate_item,
    parse_item,
)
from local_aws.sentiment.publish_file import publish_lines
from local_aws.sentiment.publisher import put_into

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
        complete_item({"sentiment_type": "neutral", **beyond}, now_ms=NOW_MS)


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
    item = complete_item({"sentiment_type": "neutral", **within}, now_ms=NOW_MS)
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


class Published:
    """What `publish_lines` writes and says; refuses to write the ids in `refused`."""

    def __init__(self, *lines: bytes | dict[str, Any], keep_times: bool = True) -> None:
        self.items: list[Mapping[str, Any]] = []
        self.said: list[str] = []
        self.is_all_good = publish_lines(
            b"\n".join(x if isinstance(x, bytes) else line(**x) for x in lines),
            self._put,
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
        text, lambda _: None, keep_times=True, say=said.append, monotonic=lambda: next(ticks)
    )
    assert "2 of 6 published …" in said


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ClientError({"Error": {"Code": "ValidationException"}}, "PutItem"), ItemError),
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "PutItem"), NotWrittenError),
        (EndpointConnectionError(endpoint_url="http://gone"), NotWrittenError),
    ],
)
def test_a_failed_write_says_whether_the_item_is_at_fault(
    error: Exception, raised: type[Exception]
) -> None:
    class Failing:
        def put_item(self, **_: Any) -> None:
            raise error

    with pytest.raises(raised):
        put_into(Failing(), "items")({"item_id": "a"})


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


@pytest.mark.parametrize(
    "text",
    ["+inf", "+nan", "+1e18", "+31622401", "+0", "+-5", "9999-12-31T23:59:59-14:00", "1969-12-31"],
)
def test_a_drain_that_would_never_end_or_has_ended_is_refused(text: str) -> None:
    with pytest.raises(DrainError, match="within 366 days from now, and not in the past"):
        drain_until(text, now=0.0)


def test_the_longest_drain_is_a_year() -> None:
    assert drain_until("+31622400", now=0.5) == 31_622_401
