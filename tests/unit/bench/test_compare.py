"""Whether two revisions differ by more than their rounds do."""

from __future__ import annotations

from random import Random

import pytest

from tests.bench.compare import MIN_ROUNDS, Verdict, compared, median_interval
from tests.bench.figures import Samples

BASE = Samples((10, 20, 11, 19, 10, 21))
"""A machine whose speed changes by half between rounds."""


def scaled(by: float) -> Samples:
    return Samples(tuple(value * by for value in BASE.values))


@pytest.mark.parametrize(
    ("by", "verdict"),
    [(1.05, Verdict.SLOWER), (0.95, Verdict.FASTER), (1.0, Verdict.SAME), (1.01, Verdict.SAME)],
)
def test_rounds_are_compared_pair_by_pair(by: float, verdict: Verdict) -> None:
    """However much the machine's speed changes between rounds; below 2 % it is the machine."""
    assert compared(scaled(by), BASE).verdict is verdict


def test_rounds_that_disagree_show_no_difference() -> None:
    now = Samples((11, 19, 12, 21, 11, 20))
    comparison = compared(now, BASE)
    assert comparison.verdict is Verdict.SAME
    assert comparison.low < 1 < comparison.high


def test_too_few_rounds_tell_nothing() -> None:
    one = Samples((1,) * (MIN_ROUNDS - 1))
    other = Samples((2,) * (MIN_ROUNDS - 1))
    assert compared(other, one).verdict is Verdict.UNKNOWN


def test_the_interval_leaves_out_what_the_confidence_allows() -> None:
    """Of 9 samples the median lies within the 2nd and the 8th with 96 %, within the 3rd and the
    7th with 82 % (binomial)."""
    assert median_interval(range(1, 10), 0.95) == (2, 8)
    assert median_interval(range(1, 10), 0.80) == (3, 7)
    assert median_interval(range(1, 7), 0.95) == (1, 6)
    assert median_interval([3], 0.95) == (3, 3)


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    random = Random(1)
    held = 0
    for _ in range(2000):
        low, high = median_interval([random.expovariate(1) for _ in range(15)], 0.95)
        held += low <= 0.6931 <= high  # the median of that distribution is ln 2
    assert held / 2000 >= 0.94
