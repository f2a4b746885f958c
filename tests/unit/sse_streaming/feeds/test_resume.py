"""What a presented id means for a new stream."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.sse_streaming.feeds.position import FreshStart, Position, PositionCodec, ResetReason
from lambdas.sse_streaming.feeds.position_clock import ClockReading
from lambdas.sse_streaming.feeds.resume import Presented, Resume, read_last_event_id

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


def read(presented: str | None, codec: PositionCodec = CODEC) -> Resume:
    return read_last_event_id(
        presented, codec, now=ClockReading(NOW, NOW, NOW), overlap_ms=10_000, replay_ms=3_600_000
    )


def unopened(resume: Resume) -> Position:
    """What the id says of a stream that ended before it had a position."""
    return CODEC.read(resume.unopened_id(CODEC, NOW, "a" * 32, "b" * 16))


def test_a_first_visit_begins_a_session() -> None:
    one, other = read(None), read(None)

    assert one.sequence == 1
    assert (one.presented, one.reset, one.previous, one.resumed_slot) == (None, None, None, None)
    assert one.session_id != other.session_id
    assert unopened(one).fresh is FreshStart.FIRST


def test_a_resume_goes_on_in_its_session() -> None:
    presented = CODEC.mint(POSITION)

    assert read(presented) == Resume(
        session_id=POSITION.session_id,
        sequence=5,
        presented=Presented(presented, POSITION),
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
    resume = read(CODEC.mint(replace(POSITION, settled_ms=settled_ms)))

    assert (resume.presented, resume.reset) == (None, reset)
    assert (resume.session_id, resume.sequence) == (POSITION.session_id, 5)
    assert resume.previous == ("a" * 32, "b" * 16)
    assert unopened(resume).fresh is FreshStart[reset.name]


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
    resume = read(presented)

    assert resume.reset is reset
    assert resume.sequence == 1
    assert resume.session_id != POSITION.session_id
    assert (resume.presented, resume.resumed_slot, resume.previous) == (None, None, None)


@pytest.mark.parametrize("fresh", FreshStart)
def test_an_id_of_a_refusal_begins_the_next_stream_as_the_refused_one(fresh: FreshStart) -> None:
    """A client refused on its first visit is no resume, and one that was reset is told again."""
    resume = read(CODEC.mint(replace(POSITION, fresh=fresh)))

    assert resume.presented is None
    assert resume.reset is fresh.reset_reason
    assert unopened(resume).fresh is fresh


def test_an_id_that_could_be_forged_takes_no_slot_over() -> None:
    codec = PositionCodec(key=None, table="items", index="by_sentiment")

    resume = read(codec.mint(POSITION), codec)

    assert resume.presented is not None
    assert resume.resumed_slot is None


@given(st.text())
def test_no_id_is_too_strange(presented: str) -> None:
    assert read(presented).reset is ResetReason.MALFORMED
