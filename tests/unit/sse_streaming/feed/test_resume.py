"""What a presented id means for a client's arrival."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.sse_streaming.feed.position import FreshStart, Position, PositionCodec, ResetReason
from lambdas.sse_streaming.feed.position_clock import Reading
from lambdas.sse_streaming.feed.resume import Arrival, understand

NOW = 1_795_000_000_000
CODEC = PositionCodec(key=b"0123456789abcdef", table="items", index="by_sentiment")
POSITION = Position(
    settled_ms=NOW - 5_000,
    block=1,
    session_id="0123456789abcdef01",
    sequence=4,
    slot=7,
    trace_id="a" * 32,
    span_id="b" * 16,
)


def arrive(presented: str | None, codec: PositionCodec = CODEC) -> Arrival:
    return understand(
        presented, codec, now=Reading(NOW, NOW, NOW), overlap_ms=10_000, replay_ms=3_600_000
    )


def test_a_first_visit_begins_a_session() -> None:
    one, other = arrive(None), arrive(None)

    assert one.sequence == 1
    assert (one.position, one.reset, one.previous, one.resumed_slot) == (None, None, None, None)
    assert one.session_id != other.session_id
    assert one.fresh_start is FreshStart.FIRST


def test_a_resume_goes_on_in_its_session() -> None:
    presented = CODEC.mint(POSITION)

    assert arrive(presented) == Arrival(
        session_id=POSITION.session_id,
        sequence=5,
        presented_id=presented,
        position=POSITION,
        reset=None,
        previous=("a" * 32, "b" * 16),
        resumed_slot=7,
    )


@pytest.mark.parametrize(
    ("settled_ms", "reset"),
    [(NOW - 3_600_001, ResetReason.EXPIRED), (NOW + 20_001, ResetReason.FUTURE)],
)
def test_a_lost_position_is_reset_but_the_session_goes_on(
    settled_ms: int, reset: ResetReason
) -> None:
    arrival = arrive(CODEC.mint(replace(POSITION, settled_ms=settled_ms)))

    assert (arrival.position, arrival.reset) == (None, reset)
    assert (arrival.session_id, arrival.sequence) == (POSITION.session_id, 5)
    assert arrival.previous == ("a" * 32, "b" * 16)
    assert arrival.fresh_start.reset_reason is reset


@pytest.mark.parametrize(
    ("presented", "reset"),
    [
        ("", ResetReason.MALFORMED),
        ("x" * 10_240, ResetReason.MALFORMED),
        (CODEC.mint(POSITION)[:-1], ResetReason.MALFORMED),
        (
            PositionCodec(key=b"f" * 16, table="items", index="by_sentiment").mint(POSITION),
            ResetReason.FOREIGN,
        ),
    ],
    ids=["empty", "10KB", "cut", "foreign"],
)
def test_an_id_that_is_no_use_is_reset_in_a_new_session(presented: str, reset: ResetReason) -> None:
    arrival = arrive(presented)

    assert arrival.reset is reset
    assert arrival.sequence == 1
    assert arrival.session_id != POSITION.session_id
    assert (arrival.position, arrival.resumed_slot, arrival.previous) == (None, None, None)


@pytest.mark.parametrize("fresh", FreshStart)
def test_an_id_of_a_refusal_repeats_the_arrival_it_stands_for(fresh: FreshStart) -> None:
    """A client refused on its first visit is no resume, and one that was reset is told again."""
    arrival = arrive(CODEC.mint(replace(POSITION, fresh=fresh)))

    assert arrival.position is None
    assert arrival.reset is fresh.reset_reason
    assert arrival.fresh_start is fresh


def test_an_id_that_could_be_forged_takes_no_slot_over() -> None:
    codec = PositionCodec(key=None, table="items", index="by_sentiment")

    arrival = arrive(codec.mint(POSITION), codec)

    assert arrival.position == POSITION
    assert arrival.resumed_slot is None


def test_an_acquire_asks_for_the_sessions_own_slot() -> None:
    request = arrive(CODEC.mint(POSITION)).acquire_request()

    assert (request.session_id, request.sequence, request.resumed_slot) == (
        POSITION.session_id,
        5,
        7,
    )


@given(st.text())
def test_no_id_is_too_strange(presented: str) -> None:
    assert arrive(presented).reset is ResetReason.MALFORMED
