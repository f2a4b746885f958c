"""An id is the position: everything comes back from it, and nothing altered does."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.sse_streaming.feeds.position import (
    LONG_HASH_BYTES,
    MAX_HASHES,
    MAX_ID_LENGTH,
    SHORT_HASH_BYTES,
    FreshStart,
    Position,
    PositionCodec,
    ResetReason,
    UnreadableId,
    item_hash,
)

KEY = b"0123456789abcdef"
CODEC = PositionCodec(key=KEY, table="items", index="by_sentiment")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

SMALLEST = Position(settled_ms=0, block=0, session_id="00" * 9, sequence=0)
LARGEST = Position(
    settled_ms=2**48 - 1,
    block=2**32 - 1,
    session_id="ff" * 9,
    sequence=2**24 - 1,
    slot=2**16 - 2,
    trace_id="f" * 32,
    span_id="f" * 16,
    hashes=(b"\xff" * SHORT_HASH_BYTES,) * MAX_HASHES,
    has_record=True,
    fresh=FreshStart.FUTURE,
)
TYPICAL = Position(
    settled_ms=1_795_000_000_000,
    block=17,
    session_id="0123456789abcdef01",
    sequence=3,
    slot=42,
    trace_id="5759e988bd862e3fe1be46a994272793",
    span_id="53995c3f42cd8ad8",
    hashes=(b"abcde", b"fghij"),
)


def hexes(size: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=size, max_size=size).map(bytes.hex)


traces = st.one_of(st.just((None, None)), st.tuples(hexes(16), hexes(8)))


@st.composite
def positions(draw: st.DrawFn) -> Position:
    trace_id, span_id = draw(traces)
    return Position(
        settled_ms=draw(st.integers(0, 2**48 - 1)),
        block=draw(st.integers(0, 2**32 - 1)),
        session_id=draw(hexes(9)),
        sequence=draw(st.integers(0, 2**24 - 1)),
        slot=draw(st.none() | st.integers(0, 2**16 - 2)),
        trace_id=trace_id,
        span_id=span_id,
        hashes=tuple(
            draw(
                st.lists(
                    st.binary(min_size=SHORT_HASH_BYTES, max_size=SHORT_HASH_BYTES),
                    max_size=MAX_HASHES,
                )
            )
        ),
        has_record=draw(st.booleans()),
        fresh=draw(st.none() | st.sampled_from(FreshStart)),
    )


def reason(text: str, codec: PositionCodec = CODEC) -> ResetReason:
    with pytest.raises(UnreadableId) as raised:
        codec.read(text)
    return raised.value.reason


@pytest.mark.parametrize(
    ("position", "event_id"),
    [
        (
            replace(TYPICAL, hashes=tuple(bytes([n]) * 5 for n in range(7))),
            "14QGh7lZeAAAAABEBI0VniavN7wEAAAMAKldZ6Yi9hi4_4b5GqZQnJ5NTmVw_Qs2"
            "K2AAAAAAAAQEBAQECAgICAgMDAwMDBAQEBAQFBQUFBQYGBgYGcvEQOMCPdLOdug",
        ),
        (
            replace(TYPICAL, block=258, hashes=TYPICAL.hashes[:1], has_record=True),
            "1IwGh7lZeAAAAAQIBI0VniavN7wEAAAMAKldZ6Yi9hi4_4b5GqZQnJ5NTmVw_Qs2"
            "K2GFiY2Rlh49NOuqxC6L8EQ",
        ),
        (
            replace(SMALLEST, settled_ms=TYPICAL.settled_ms, block=2**32 + 5),
            "1AAGh7lZeAAAAAAUAAAAAAAAAAAAAAAD__9IYxFKkO3vUZhY",
        ),
        (
            replace(SMALLEST, block=1, sequence=2**30, fresh=FreshStart.EXPIRED),
            "1EAAAAAAAAAAAAAEAAAAAAAAAAAD_______G88GUROyCOZmw",
        ),
    ],
)
def test_an_id_of_a_position_is_the_same_in_every_release(
    position: Position, event_id: str
) -> None:
    """Clients come back to a new version with the ids of the one before."""
    assert CODEC.mint(position) == event_id


@given(positions())
def test_every_position_comes_back_whole(position: Position) -> None:
    assert CODEC.read(CODEC.mint(position)) == position


@given(positions())
def test_every_id_is_a_header_value_that_no_client_preflights(position: Position) -> None:
    text = CODEC.mint(position)

    assert len(text) <= MAX_ID_LENGTH
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", text)


@pytest.mark.parametrize("position", [SMALLEST, LARGEST], ids=["smallest", "largest"])
def test_the_extremes_come_back(position: Position) -> None:
    assert CODEC.read(CODEC.mint(position)) == position


def test_counters_saturate_instead_of_failing() -> None:
    """A session of 17 million reconnects, a slot that 16 bits cannot say."""
    read = CODEC.read(
        CODEC.mint(replace(TYPICAL, block=2**32 + 5, sequence=2**24 + 5, slot=2**16 + 5))
    )

    assert (read.block, read.sequence, read.slot) == (5, 2**24 - 1, None)


@pytest.mark.parametrize("position", [SMALLEST, TYPICAL, LARGEST], ids=["least", "usual", "most"])
def test_any_other_letter_at_any_place_is_malformed(position: Position) -> None:
    """All places, all letters: the spare bits of the last digit too."""
    text = CODEC.mint(position)

    readings = {
        reason(text[:at] + letter + text[at + 1 :])
        for at in range(len(text))
        for letter in ALPHABET + "~.= \n\0\u00e9"
        if letter != text[at]
    }

    assert readings == {ResetReason.MALFORMED}


@given(positions(), st.data())
def test_spare_bits_of_the_last_digit_are_part_of_the_id(
    position: Position, data: st.DataObject
) -> None:
    text = CODEC.mint(position)
    last = ALPHABET.index(text[-1])
    other = ALPHABET[last ^ data.draw(st.integers(1, 63))]

    assert reason(text[:-1] + other) is ResetReason.MALFORMED


@pytest.mark.parametrize("position", [SMALLEST, TYPICAL, LARGEST], ids=["least", "usual", "most"])
def test_an_id_cut_short_is_malformed(position: Position) -> None:
    text = CODEC.mint(position)

    assert {reason(text[:length]) for length in range(len(text))} == {ResetReason.MALFORMED}


@pytest.mark.parametrize("more", ["A", "=", "==", "AAAA", " ", "\n", "\x00", "1"])
def test_an_id_with_more_behind_it_is_malformed(more: str) -> None:
    assert reason(CODEC.mint(SMALLEST) + more) is ResetReason.MALFORMED


@pytest.mark.parametrize(
    "text",
    ["", "1", "0", "1" * 128, "A" * 129, "A" * 10_240, "0" + "A" * 60, "\ud800", "1\u0661" * 20],
    ids=["empty", "version", "zero", "ones", "long", "10KB", "version0", "surrogate", "digits"],
)
def test_what_was_never_an_id_is_malformed(text: str) -> None:
    assert reason(text) is ResetReason.MALFORMED


@given(st.text() | st.text(alphabet=ALPHABET).map("1".__add__))
def test_no_text_is_too_strange(text: str) -> None:
    assert reason(text) is ResetReason.MALFORMED


@pytest.mark.parametrize(
    "other",
    [
        PositionCodec(key=KEY, table="other", index="by_sentiment"),
        PositionCodec(key=KEY, table="items", index="other"),
        PositionCodec(key=KEY[::-1], table="items", index="by_sentiment"),
        PositionCodec(key=None, table="items", index="by_sentiment"),
        PositionCodec(key=KEY, table="items\0by", index="sentiment"),
    ],
    ids=["table", "index", "key", "no-key", "boundary"],
)
def test_an_id_of_another_feed_or_key_is_foreign(other: PositionCodec) -> None:
    assert reason(other.mint(TYPICAL)) is ResetReason.FOREIGN
    assert reason(CODEC.mint(TYPICAL), other) is ResetReason.FOREIGN


def test_ids_of_the_previous_key_are_read_and_none_is_minted() -> None:
    new = KEY[::-1]
    codec = PositionCodec(key=new, table="items", index="by_sentiment", previous_key=KEY)
    only_new = PositionCodec(key=new, table="items", index="by_sentiment")

    assert codec.read(CODEC.mint(TYPICAL)) == TYPICAL
    assert only_new.read(codec.mint(TYPICAL)) == TYPICAL
    assert reason(codec.mint(TYPICAL)) is ResetReason.FOREIGN


@pytest.mark.parametrize(("table", "index"), [("other", "by_sentiment"), ("items", "other")])
def test_an_id_of_another_feed_is_foreign_under_the_previous_key_too(
    table: str, index: str
) -> None:
    codec = PositionCodec(key=KEY[::-1], table=table, index=index, previous_key=KEY)

    assert reason(CODEC.mint(TYPICAL), codec) is ResetReason.FOREIGN


def test_table_and_index_are_kept_apart() -> None:
    """`ab`+`c` is another feed than `a`+`bc`."""
    one = PositionCodec(key=KEY, table="ab", index="c")
    other = PositionCodec(key=KEY, table="a", index="bc")

    assert reason(one.mint(TYPICAL), other) is ResetReason.FOREIGN


def test_an_altered_foreign_id_is_malformed() -> None:
    text = PositionCodec(key=KEY, table="other", index="x").mint(TYPICAL)

    assert reason(text[:20] + ("A" if text[20] != "A" else "B") + text[21:]) is (
        ResetReason.MALFORMED
    )


def test_only_a_key_makes_ids_trusted() -> None:
    assert CODEC.trusted
    assert not PositionCodec(key=None, table="items", index="by_sentiment").trusted


def test_without_a_key_every_environment_reads_the_others_ids() -> None:
    one = PositionCodec(key=None, table="items", index="by_sentiment")
    other = PositionCodec(key=None, table="items", index="by_sentiment")

    assert other.read(one.mint(TYPICAL)) == TYPICAL


def test_a_trace_needs_both_of_its_ids() -> None:
    read = CODEC.read(CODEC.mint(replace(TYPICAL, span_id=None)))

    assert (read.trace_id, read.span_id) == (None, None)


# Positions that lie too far away

NOW, OVERLAP, REPLAY = 1_795_000_000_000, 10_000, 3_600_000


@pytest.mark.parametrize(
    ("settled_ms", "reset_reason"),
    [
        (NOW, None),
        (NOW - REPLAY, None),
        (NOW - REPLAY - 1, ResetReason.EXPIRED),
        (0, ResetReason.EXPIRED),
        (NOW + 2 * OVERLAP, None),
        (NOW + 2 * OVERLAP + 1, ResetReason.FUTURE),
        (2**48 - 1, ResetReason.FUTURE),
    ],
)
def test_a_position_can_be_expired_or_in_the_future(
    settled_ms: int, reset_reason: ResetReason | None
) -> None:
    position = replace(TYPICAL, settled_ms=settled_ms)

    assert (
        position.reset_reason(earliest_ms=NOW, latest_ms=NOW, overlap_ms=OVERLAP, replay_ms=REPLAY)
        is reset_reason
    )


def test_between_clocks_that_disagree_a_position_has_the_benefit_of_the_doubt() -> None:
    def reset_reason(settled_ms: int) -> ResetReason | None:
        return replace(TYPICAL, settled_ms=settled_ms).reset_reason(
            earliest_ms=NOW - 30_000, latest_ms=NOW, overlap_ms=OVERLAP, replay_ms=REPLAY
        )

    assert reset_reason(NOW - 30_000 - REPLAY) is None
    assert reset_reason(NOW + 2 * OVERLAP) is None


@pytest.mark.parametrize("fresh", FreshStart)
def test_every_fresh_start_but_the_first_was_a_reset(fresh: FreshStart) -> None:
    expected = None if fresh is FreshStart.FIRST else fresh.name.lower()

    assert fresh.reset_reason == expected


# Hashes of items


@given(st.text(max_size=50), st.integers(0, 2**48))
def test_a_hash_tells_versions_of_an_item_apart(item_id: str, published: int) -> None:
    known = item_hash(item_id, published)

    assert len(known) == LONG_HASH_BYTES
    assert known != item_hash(item_id, published + 1)
    assert known != item_hash(item_id + "x", published)
    assert known == item_hash(item_id, published)
