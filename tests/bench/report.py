"""What was measured, held against its target: statistics, lines for people, JSON for programs.

Pure: samples in, text out. Noise on a shared machine only ever adds time, so a ratio is that of the
best of both sides; whether two revisions differ is told from the rounds, pair by pair, since the
machine's speed may change between them.
"""

from __future__ import annotations

import enum
import json
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
MIN_ROUNDS = 6
"""Of fewer, not even the lowest and the highest enclose the median with that confidence."""
SMALLEST_DIFFERENCE = 0.02
"""Where code and data happen to lie in memory moves a result by as much
(Mytkowicz et al., "Producing Wrong Data Without Doing Anything Obviously Wrong!", ASPLOS 2009)."""


class Kind(enum.Enum):
    """What the target bounds."""

    RATIO = "ratio"
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


def pairwise(left: Samples, right: Samples, join: Callable[[float, float], float]) -> Samples:
    return Samples(tuple(map(join, left.values, right.values)))


def _quotient(left: float, right: float) -> float:
    return left / right


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all are not above (the nearest-rank method)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


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
    ratios = pairwise(now, base, _quotient)
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


# For people


def table(figures: Iterable[Figure]) -> str:
    """Every figure beside its peer and its target."""
    lines = [
        ("row", "what", "ours", "peer", "ratio", "rounds' ratios", "target", ""),
        *(_line(figure) for figure in figures),
    ]
    return _aligned(lines)


def _line(figure: Figure) -> tuple[str, ...]:
    ratio = ratios = ""
    peer = ""
    if figure.peer is not None and figure.ratio is not None and figure.ratios is not None:
        ratio = f"{figure.ratio:.2f} ×"
        ratios = f"{figure.ratios.median:.2f} ({figure.ratios.best:.2f}–{figure.ratios.worst:.2f})"
        peer = f"{_shown(figure.peer)} {figure.peer_name}"
    return (
        figure.row,
        f"{figure.name}, {figure.unit}",
        _shown(figure.ours),
        peer,
        ratio,
        ratios,
        _target(figure),
        "" if figure.target is None else "ok" if figure.is_met else "MISSED",
    )


def _target(figure: Figure) -> str:
    match figure.target:
        case None:
            return ""
        case Target(kind=Kind.RATIO, limit=limit):
            return f"≤ {limit:g} ×"
        case Target(kind=Kind.DIFFERENCE, limit=limit):
            return f"{figure.held:+.2f}, ≤ {limit:g} more"
        case Target(limit=limit):
            return f"≤ {limit:g} {figure.unit}"


def comparison_table(figures: Iterable[Figure], base_name: str) -> str:
    """Now beside the base, and whether they differ by more than the rounds do."""
    lines = [("row", "what", base_name, "now", "now / base", "95 % interval", "")]
    for figure in figures:
        if figure.base is None:
            continue
        found = compared(figure.ours, figure.base)
        lines.append(
            (
                figure.row,
                f"{figure.name}, {figure.unit}",
                _shown(figure.base),
                _shown(figure.ours),
                f"{found.ratio:.3f} ×",
                f"{found.low:.3f}–{found.high:.3f}",
                found.verdict.value,
            )
        )
    return _aligned(lines)


def notes(figures: Iterable[Figure]) -> str:
    """What has to be known of single figures, each note once."""
    told: dict[tuple[str, str], None] = {
        (figure.row, figure.note): None for figure in figures if figure.note
    }
    return "".join(f"{row}: {note}\n" for row, note in told)


def _shown(samples: Samples) -> str:
    """Best (median–worst), or the one value there is."""
    if len(samples.values) == 1:
        return _number(samples.best)
    return f"{_number(samples.best)} ({_number(samples.median)}–{_number(samples.worst)})"


def _number(value: float) -> str:
    """Three digits that count; more only before the point."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 3)}f}"


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )


# For programs


def to_json(figures: Iterable[Figure], skipped: Iterable[Skipped], about: dict[str, object]) -> str:
    """`about` tells of the run: revisions, Python, machine."""
    document = {
        **about,
        "rows": [_json(figure) for figure in figures],
        "skipped": [{"row": row.row, "reason": row.reason} for row in skipped],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _json(figure: Figure) -> dict[str, object]:
    ratios = figure.ratios
    found: dict[str, object] = {
        "row": figure.row,
        "name": figure.name,
        "unit": figure.unit,
        "ours": _side(figure.ours),
        "peer": None
        if figure.peer is None
        else {"name": figure.peer_name, **_side(figure.peer)},
        "ratio": figure.ratio,
        "spread": None if ratios is None else [ratios.best, ratios.worst],
        "target": None
        if figure.target is None
        else {
            "kind": figure.target.kind.value,
            "limit": figure.target.limit,
            "is_enforced": figure.target.is_enforced,
            "held": figure.held,
            "is_met": figure.is_met,
        },
        "note": figure.note,
    }
    if figure.base is not None:
        comparison = compared(figure.ours, figure.base)
        found["base"] = _side(figure.base)
        found["comparison"] = {
            "ratio": comparison.ratio,
            "interval": [comparison.low, comparison.high],
            "verdict": comparison.verdict.name.lower(),
        }
    return found


def _side(samples: Samples) -> dict[str, object]:
    return {
        "best": samples.best,
        "median": samples.median,
        "worst": samples.worst,
        "rounds": list(samples.values),
    }
