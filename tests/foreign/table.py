"""What of a suite does not apply and what differs, each with its reason: the files in `tables/`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """Patterns of tests, and why they are not run (`left_out`), or run and fail (`differs`)."""

    kind: str
    tests: tuple[str, ...]
    reason: str

    def has(self, test: str) -> bool:
        return any(fnmatchcase(plain(test), pattern) for pattern in self.tests)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one suite. `contrary` is what is not as the table says."""

    passed: int
    differ: int
    left_out: int
    contrary: tuple[str, ...]


def plain(test: str) -> str:
    """Without the brackets that patterns give a meaning of their own."""
    return test.replace("[", "(").replace("]", ")")


def read_table(path: Path) -> list[Row]:
    """Raises ValueError for a table that is not one."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    if not {*document} <= {"left_out", "differs"}:
        raise ValueError(f"{path.name}: only left_out and differs, not {', '.join(document)}")
    rows = [
        Row(kind, tuple(row["tests"]), row["reason"])
        for kind in ("left_out", "differs")
        for row in document.get(kind, [])
    ]
    if any(not row.tests or not row.reason for row in rows):
        raise ValueError(f"{path.name}: each row has tests and a reason")
    return rows


def judge(rows: Sequence[Row], outcomes: Mapping[str, str]) -> Verdict:
    contrary = [
        f"{pattern}: no such test"
        for row in rows
        for pattern in row.tests
        if not any(fnmatchcase(plain(test), pattern) for test in outcomes)
    ]
    counts = {"passed": 0, "failed": 0, "left out": 0}
    for test, outcome in outcomes.items():
        row = next((row for row in rows if row.has(test)), None)
        expected = {"left_out": "left out", "differs": "failed"}[row.kind] if row else "passed"
        if outcome == expected:
            counts[outcome] += 1
        else:
            reason = f" ({row.reason})" if row else ""
            contrary.append(f"{test}: {outcome}, not {expected}{reason}")
    return Verdict(counts["passed"], counts["failed"], counts["left out"], tuple(contrary))
