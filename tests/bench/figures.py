"""What a row found: samples, round by round, and what they are held against. Pure.

Noise on a shared machine only adds time, so a ratio is that of the best of both sides, as a rule.
Whether two revisions differ is told from the rounds, pair by pair (compare.py): the machine's speed
changes between rounds more than within one.
"""

from __future__ import annotations

import enum
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class Kind(enum.Enum):
    """What the target bounds. The median of the rounds' ratios is for elapsed time, and for a peer
    that is now and then cheap by luck."""

    RATIO = "ratio"
    MEDIAN_RATIO = "median ratio"
    DIFFERENCE = "difference"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Target:
    """At most `limit`. An enforced one fails the run; another is marked where it is missed."""

    kind: Kind
    limit: float
    is_enforced: bool = False


@dataclass(frozen=True, slots=True)
class Samples:
    """One side of a figure: one value for each round, in the order of the rounds."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a figure needs at least one round")

    @property
    def best(self) -> float:
        return min(self.values)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def worst(self) -> float:
        return max(self.values)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report. `base` holds the same of the revision compared with."""

    row: str
    name: str
    unit: str
    ours: Samples
    target: Target | None = None
    peer: Samples | None = None
    peer_name: str = ""
    base: Samples | None = None
    note: str = ""

    def __post_init__(self) -> None:
        needs_peer = self.target is not None and self.target.kind is not Kind.VALUE
        if needs_peer and self.peer is None:
            raise ValueError(f"{self.name}: the target needs a peer")
        for other in (self.peer, self.base):
            if other is not None and len(other.values) != len(self.ours.values):
                raise ValueError(f"{self.name}: both sides need the same number of rounds")

    @property
    def ratio(self) -> float | None:
        """The best of ours to the best of the peer's."""
        return None if self.peer is None else self.ours.best / self.peer.best

    @property
    def ratios(self) -> Samples | None:
        """Ours to the peer's, round by round."""
        return None if self.peer is None else pairwise(self.ours, self.peer, _quotient)

    @property
    def held(self) -> float | None:
        """What is held against the target."""
        if self.target is None:
            return None
        if self.target.kind is Kind.VALUE:
            return self.ours.median
        if self.target.kind is Kind.RATIO:
            return self.ratio
        if self.target.kind is Kind.MEDIAN_RATIO:
            return None if self.ratios is None else self.ratios.median
        assert self.peer is not None
        return pairwise(self.ours, self.peer, lambda ours, peer: ours - peer).median

    @property
    def is_met(self) -> bool:
        held = self.held
        return held is None or self.target is None or held <= self.target.limit

    @property
    def fails(self) -> bool:
        return self.target is not None and self.target.is_enforced and not self.is_met


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that could not be measured here, and why."""

    row: str
    reason: str


def pairwise(left: Samples, right: Samples, join: Callable[[float, float], float]) -> Samples:
    return Samples(tuple(map(join, left.values, right.values)))


def _quotient(left: float, right: float) -> float:
    return left / right


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all are not above (the nearest-rank method)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
