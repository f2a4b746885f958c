"""The report: lines for people, JSON for programs. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence

from tests.bench.compare import compared
from tests.bench.figures import Figure, Kind, Samples, Skipped, Target

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
        ratio = f"{figure.ratio:.2f} x"
        ratios = f"{figure.ratios.median:.2f} ({figure.ratios.best:.2f}-{figure.ratios.worst:.2f})"
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
            return f"≤ {limit:g} x"
        case Target(kind=Kind.MEDIAN_RATIO, limit=limit):
            return f"≤ {limit:g} x, rounds"
        case Target(kind=Kind.DIFFERENCE, limit=limit):
            return f"{figure.held:.2f}, ≤ {limit:g} more"
        case Target(limit=limit):
            return f"≤ {limit:g} {figure.unit}"


def comparison_table(figures: Iterable[Figure], base_name: str) -> str:
    """Now beside the base, and whether they differ by more than the rounds do."""
    lines = [("row", "what", base_name, "now", "now / base", "95 % interval", "")]
    told: set[tuple[str, str]] = set()
    for figure in figures:
        if figure.base is None or (figure.row, figure.name) in told:
            continue
        told.add((figure.row, figure.name))  # one against several peers is compared once
        found = compared(figure.ours, figure.base)
        lines.append(
            (
                figure.row,
                f"{figure.name}, {figure.unit}",
                _shown(figure.base),
                _shown(figure.ours),
                f"{found.ratio:.3f} x",
                f"{found.low:.3f}-{found.high:.3f}",
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
    """Best (median to worst), or the one value there is."""
    if len(samples.values) == 1:
        return _number(samples.best)
    return f"{_number(samples.best)} ({_number(samples.median)}-{_number(samples.worst)})"


def _number(value: float) -> str:
    """Three digits that count; more only before the point."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 3)}f}"


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
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
        "peer": None if figure.peer is None else {"name": figure.peer_name, **_side(figure.peer)},
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
