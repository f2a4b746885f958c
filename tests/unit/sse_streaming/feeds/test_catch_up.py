"""How fast a catch-up may read."""

from __future__ import annotations

from lambdas.sse_streaming.feeds.catch_up import ITEMS_PER_EARNED_PAGE, CatchUpAllowance


def test_pages_that_bring_nothing_are_read_as_often_as_a_live_stream_polls() -> None:
    allowance = CatchUpAllowance(pages_per_second=3.0, now_seconds=0.0)
    now = 0.0
    for _ in range(100):
        now += allowance.spend(3, now)

    assert round(now) == 100


def test_pages_that_bring_enough_are_followed_at_once() -> None:
    allowance = CatchUpAllowance(pages_per_second=1.0, now_seconds=0.0)
    waits = []
    for _ in range(50):
        allowance.earn(ITEMS_PER_EARNED_PAGE)
        waits.append(allowance.spend(1, 0.0))

    assert waits == [0.0] * 50


def test_what_a_fast_stretch_saved_does_not_pay_for_a_long_empty_one() -> None:
    allowance = CatchUpAllowance(pages_per_second=1.0, now_seconds=0.0)
    allowance.earn(1_000_000)
    now = 0.0
    for _ in range(120):
        now += allowance.spend(1, now)

    assert round(now) == 100
