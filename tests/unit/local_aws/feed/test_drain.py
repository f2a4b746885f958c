from __future__ import annotations

import pytest

from local_aws.feed.drain import DrainError, drain_until


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
def test_a_drain_ends_at_the_time_given(text: str | None, expected: float) -> None:
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
