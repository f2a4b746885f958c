"""Two revisions, round by round: whether they differ by more than the rounds do. Pure."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.figures import Samples, pairwise

CONFIDENCE = 0.95
MIN_ROUNDS = 6
"""Of fewer, not even the lowest and the highest enclose the median with that confidence."""
SMALLEST_DIFFERENCE = 0.02
"""Where code and data happen to lie in memory moves a result by as much
(Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong!", ASPLOS 2009)."""


class Verdict(enum.Enum):
    SLOWER = "MORE"
    FASTER = "less"
    SAME = "same within the spread"
    UNKNOWN = f"fewer than {MIN_ROUNDS} rounds: not told"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Now to base: the median of the rounds' ratios, and the interval that encloses it."""

    ratio: float
    low: float
    high: float
    verdict: Verdict


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Encloses the median of what the values are samples of, whatever its distribution.

    Order statistics: each sample lies below that median with probability 1/2, so how many do is
    binomial. With too few values for the confidence, the lowest and the highest.
    """
    ordered = sorted(values)
    cut = 0
    outside = 0.0
    for below in range(len(ordered) // 2):
        outside += 2 * math.comb(len(ordered), below) / 2 ** len(ordered)
        if outside > 1 - confidence:
            break
        cut = below
    return ordered[cut], ordered[len(ordered) - 1 - cut]


def compared(now: Samples, base: Samples) -> Comparison:
    ratios = pairwise(now, base, lambda one, other: one / other)
    low, high = median_interval(ratios.values)
    if len(ratios.values) < MIN_ROUNDS:
        verdict = Verdict.UNKNOWN
    elif low > 1 + SMALLEST_DIFFERENCE:
        verdict = Verdict.SLOWER
    elif high < 1 - SMALLEST_DIFFERENCE:
        verdict = Verdict.FASTER
    else:
        verdict = Verdict.SAME
    return Comparison(ratios.median, low, high, verdict)
