"""The text/event-stream encoder, byte by byte, and read back as clients read it."""

from __future__ import annotations

import codecs
import datetime as dt
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource
from hypothesis import given
from hypothesis import strategies as st

from lambda_streaming.sse import (
    MAX_BLOCK_BYTES,
    InvalidEvent,
    encode_comment,
    encode_event,
    encode_json_event,
    to_json,
)
from lambdas.sse_streaming.streams.stream import HEARTBEAT, OPENING


def block(*lines: str) -> bytes:
    return "".join(line + "\n" for line in (*lines, "")).encode()


# Byte-exact


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        pytest.param("", ["data: "], id="empty"),
        pytest.param("a\nb", ["data: a", "data: b"], id="LF"),
        pytest.param("a\r\nb", ["data: a", "data: b"], id="CRLF"),
        pytest.param("a\rb", ["data: a", "data: b"], id="CR"),
        pytest.param("a\n\rb", ["data: a", "data: ", "data: b"], id="LF-CR"),
        pytest.param("a\n", ["data: a", "data: "], id="trailing-LF"),
        pytest.param("\n\n", ["data: ", "data: ", "data: "], id="only-LFs"),
        pytest.param(" a", ["data:  a"], id="leading-blank-survives"),
        pytest.param("a\u2028b", ["data: a\u2028b"], id="line-separator-is-no-break"),
        pytest.param("a\u2029b", ["data: a\u2029b"], id="paragraph-separator-is-no-break"),
        pytest.param("a\x85b", ["data: a\x85b"], id="NEL-is-no-break"),
        pytest.param("a\x0b\x0cb", ["data: a\x0b\x0cb"], id="VT-and-FF-are-no-breaks"),
        pytest.param("\ufeffa", ["data: \ufeffa"], id="BOM-is-data"),
        pytest.param("a\nevent: evil", ["data: a", "data: event: evil"], id="no-field-injection"),
        pytest.param("a\revent: evil", ["data: a", "data: event: evil"], id="none-by-CR-either"),
        pytest.param("\U0001f600", ["data: \U0001f600"], id="four-bytes"),
    ],
)
def test_data_becomes_lines(data: str, lines: list[str]) -> None:
    assert encode_event(data) == block(*lines)


def test_bytes_are_data_when_they_are_utf8() -> None:
    assert encode_event("é".encode()) == block("data: é")


def test_the_order_is_event_id_retry_data() -> None:
    """One block, one bytes object, so one write."""
    assert encode_event("d", event="sentiment", event_id="1", retry_ms=3000) == block(
        "event: sentiment", "id: 1", "retry: 3000", "data: d"
    )


@pytest.mark.parametrize("event_id", [0, "0", "", "a b", "a:b", "é"])
def test_an_id_is_written_as_it_is(event_id: str | int) -> None:
    """Zero is an id, and an empty one resets the client's."""
    assert encode_event("d", event_id=event_id) == block(f"id: {event_id}", "data: d")


def test_an_empty_event_name_is_left_out() -> None:
    assert encode_event("d", event="") == block("data: d")


@pytest.mark.parametrize("retry_ms", [0, 1, 2_147_483_647])
def test_a_retry_is_plain_digits(retry_ms: int) -> None:
    assert encode_event("d", retry_ms=retry_ms) == block(f"retry: {retry_ms}", "data: d")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ":\n"),
        ("ping", ": ping\n"),
        ("a\nb", ": a\n: b\n"),
        ("a\rb", ": a\n: b\n"),
        ("a\r\nb", ": a\n: b\n"),
        ("a\n", ": a\n:\n"),
        ("a\n\nb", ": a\n:\n: b\n"),
    ],
)
def test_every_line_of_a_comment_begins_with_a_colon(text: str, lines: str) -> None:
    """And no blank line follows: some clients deliver an empty message for one."""
    assert encode_comment(text) == lines.encode()


def test_heartbeat_and_opening_are_one_comment_line() -> None:
    assert HEARTBEAT == b":\n"
    assert OPENING == b": open\n"


def test_an_item_block_is_what_the_checked_encoder_would_make() -> None:
    line = '{"headline":"\u2028é\U0001f600","score":0.5}'

    assert encode_json_event(line, "sentiment", "1abc") == encode_event(
        line, event="sentiment", event_id="1abc"
    )


def test_a_surrogate_in_an_item_ends_no_stream() -> None:
    assert encode_json_event('{"a":"\ud800"}', "sentiment", "1") == block(
        "event: sentiment", "id: 1", 'data: {"a":"?"}'
    )


# Rejected before a byte is written


@pytest.mark.parametrize(
    ("make", "what"),
    [
        pytest.param(lambda: encode_event("\ud800"), "surrogate", id="lone-surrogate"),
        pytest.param(lambda: encode_event("d", event_id="\udfff"), "surrogate", id="in-the-id"),
        pytest.param(lambda: encode_event(b"\xff"), "UTF-8", id="bytes-not-UTF-8"),
        pytest.param(lambda: encode_event(None), "NoneType", id="no-data"),  # type: ignore[arg-type]
        pytest.param(lambda: encode_event(1), "int", id="a-number"),  # type: ignore[arg-type]
        *(
            pytest.param(lambda bad=bad: encode_event("d", event_id=bad), "id", id=f"id-{bad!r}")
            for bad in ("a\nb", "a\rb", "a\0b", "\n", " a", True, False)
        ),
        *(
            pytest.param(lambda bad=bad: encode_event("d", event=bad), "event", id=f"event-{bad!r}")
            for bad in ("a\nb", "a\rb", "a\0b", "error", "open", "close")
        ),
        *(
            pytest.param(
                lambda bad=bad: encode_event("d", retry_ms=bad), "retry", id=f"retry-{bad!r}"
            )
            for bad in (True, False, -1, 1.5, "5x", "+5", "5")
        ),
        pytest.param(lambda: encode_comment("a\0"), "comment", id="NUL-in-a-comment"),
        pytest.param(
            lambda: encode_event("x" * MAX_BLOCK_BYTES), str(MAX_BLOCK_BYTES), id="too-large"
        ),
    ],
)
def test_what_no_stream_can_carry_is_refused_not_repaired(
    make: Callable[[], bytes], what: str
) -> None:
    with pytest.raises(InvalidEvent, match=what):
        make()


def test_a_large_line_stays_whole() -> None:
    data = "x" * 200_000

    assert encode_event(data) == block("data: " + data)


# JSON


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": 2}, '{"b":1,"a":2}'),
        ({"é": "\u2028"}, '{"é":"\u2028"}'),
        (Decimal("1"), "1"),
        (Decimal("1.50"), "1.5"),
        (Decimal("1E+3"), "1000"),
        (dt.datetime(2026, 11, 21, 1, 2, 3, tzinfo=dt.UTC), '"2026-11-21T01:02:03+00:00"'),
        (dt.date(2026, 11, 21), '"2026-11-21"'),
        (b"\x00\xff", '"AP8="'),
        (bytearray(b"a"), '"YQ=="'),
        ({"b", "a"}, '["a","b"]'),
        (frozenset({2, 1}), "[1,2]"),
        ("a\nb\r\0", '"a\\nb\\r\\u0000"'),
    ],
)
def test_values_have_one_json_form_on_one_line(value: Any, text: str) -> None:
    assert to_json(value) == text


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), Decimal("NaN"), Decimal("Infinity"), object()],
)
def test_what_json_has_no_form_for_is_refused(value: object) -> None:
    with pytest.raises(InvalidEvent, match="not JSON"):
        to_json({"value": value})


# As clients read it


@dataclass(frozen=True)
class Read:
    """A dispatched event."""

    event: str
    data: str
    last_id: str


class ConformingReader:
    """WHATWG HTML, section 9.2.6, line by line: the reference that browsers implement."""

    def __init__(self) -> None:
        self.events: list[Read] = []
        self.retry_ms: int | None = None
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._text = ""
        self._last_id = ""
        self._reset()

    def _reset(self) -> None:
        self._event, self._data = "", ""

    def feed(self, chunk: bytes) -> None:
        self._text += self._decode(chunk)
        while (end := re.search(r"\r\n|\n|\r(?=.)", self._text, re.DOTALL)) is not None:
            line, self._text = self._text[: end.start()], self._text[end.end() :]
            self._line(line)

    def _line(self, line: str) -> None:
        if not line:
            if self._data:
                self.events.append(
                    Read(self._event or "message", self._data.removesuffix("\n"), self._last_id)
                )
            self._reset()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data += value + "\n"
        elif name == "id" and "\0" not in value:
            self._last_id = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            self.retry_ms = int(value)


def read(stream: bytes, cuts: list[int] | None = None) -> ConformingReader:
    reader = ConformingReader()
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts or [])})
    for start, end in itertools.pairwise(places):
        reader.feed(stream[start:end])
    return reader


def read_by_httpx(stream: bytes) -> list[Read]:
    response = httpx.Response(
        200, headers={"content-type": "text/event-stream"}, stream=httpx.ByteStream(stream)
    )
    return [Read(event.event, event.data, event.id) for event in EventSource(response).iter_sse()]


BREAKS = st.sampled_from(["\r", "\n", "\r\n", "\n\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c"])
texts = st.lists(st.text(st.characters(exclude_categories=["Cs"])) | BREAKS, max_size=8).map(
    "".join
)
names = st.from_regex(r"[a-z]{1,10}", fullmatch=True).filter(
    lambda name: name not in {"error", "open", "close"}
)
ids = st.from_regex(r"[A-Za-z0-9._~-]{1,128}", fullmatch=True)
events = st.lists(st.tuples(names, ids, texts), min_size=1, max_size=5)


def normalised(text: str) -> str:
    """All that the format cannot keep: which kind of line break it was."""
    return re.sub(r"\r\n|\r", "\n", text)


@given(events, st.lists(st.integers(min_value=0)))
def test_clients_read_back_what_was_sent_however_it_is_cut(
    sent: list[tuple[str, str, str]], cuts: list[int]
) -> None:
    stream = OPENING + HEARTBEAT.join(
        encode_event(data, event=name, event_id=event_id) for name, event_id, data in sent
    )

    reader = read(stream, cuts)

    assert reader.events == [
        Read(name, normalised(data), event_id) for name, event_id, data in sent
    ]


@given(events)
def test_a_foreign_decoder_reads_the_same(sent: list[tuple[str, str, str]]) -> None:
    stream = OPENING + HEARTBEAT.join(
        encode_event(data, event=name, event_id=event_id) for name, event_id, data in sent
    )

    assert read_by_httpx(stream) == [
        Read(name, normalised(data), event_id) for name, event_id, data in sent
    ]


@given(st.lists(texts.filter(lambda text: "\0" not in text), max_size=3))
def test_comments_dispatch_nothing(comments: list[str]) -> None:
    stream = b"".join(encode_comment(comment) for comment in comments)

    assert read(stream + b"\n").events == []


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner),
        max_leaves=8,
    )
)
def test_json_comes_back_from_a_single_data_line(value: object) -> None:
    encoded = encode_event(to_json(value), event="sentiment", event_id="1")

    assert encoded.count(b"\n") == 4
    (event,) = read(encoded).events
    assert json.loads(event.data) == value


def test_a_retry_reaches_the_client() -> None:
    assert read(encode_event("d", retry_ms=700)).retry_ms == 700


@given(texts.filter(lambda text: "\0" not in text), st.lists(st.integers(min_value=0)))
def test_no_event_is_dispatched_before_its_block_is_complete(data: str, cuts: list[int]) -> None:
    encoded = encode_event(data, event="sentiment", event_id="1")

    assert read(encoded[:-1], cuts).events == []
    assert b"\0" not in encoded
