"""How often a stream polls."""

from __future__ import annotations

from random import Random

import pytest

from lambdas.sse_streaming.feeds.pace import PollPace


def make_pace(seed: int = 1) -> PollPace:
    return PollPace(1.0, 5.0, Random(seed), now_seconds=100.0)


def test_polls_become_rarer_while_nothing_comes() -> None:
    pace = make_pace()

    assert [pace.next_interval(101.0 + n) for n in range(6)] == pytest.approx(
        [1.5, 2.25, 3.375, 5.0, 5.0, 5.0]
    )


def test_polls_are_frequent_for_ten_seconds_after_an_item() -> None:
    pace = make_pace()
    pace.next_interval(101.0)

    pace.succeeded(1, 102.0)

    assert [pace.next_interval(now) for now in (102.0, 111.9, 112.0)] == [1.0, 1.0, 1.5]


def test_a_poll_without_items_prolongs_nothing() -> None:
    pace = make_pace()

    pace.succeeded(0, 102.0)

    assert pace.next_interval(102.0) == 1.5


def test_failures_double_a_jittered_pause_up_to_the_longest() -> None:
    pauses = [[pace.failed() for _ in range(5)] for pace in map(make_pace, range(100))]

    for number, longest in enumerate((2.0, 4.0, 5.0, 5.0, 5.0)):
        tried = [pause[number] for pause in pauses]
        assert longest / 2 <= min(tried) < longest * 0.55
        assert longest * 0.95 < max(tried) <= longest


def test_a_success_forgets_the_failures() -> None:
    pace = make_pace()
    for _ in range(5):
        pace.failed()

    pace.succeeded(0, 101.0)

    assert pace.failed() <= 2.0
