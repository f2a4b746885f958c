"""The suites, and their run in the environment that was installed for them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from local_aws.settings import REPOSITORY_ROOT
from tests.foreign.install import HERE, PLACE, PYTHON
from tests.foreign.running import run_into
from tests.foreign.table import Row, Verdict, judge, read_table

INSIDE = HERE / "inside"


@dataclass(frozen=True, slots=True)
class Suite:
    """`plugin` is a module in `inside`, `settings` pytest's own."""

    name: str
    tests: str = "tests"
    plugin: str = "no:asyncio"
    settings: Path = INSIDE / "pytest.ini"

    @property
    def rows(self) -> list[Row]:
        return read_table(HERE / "tables" / f"{self.name}.toml")


SUITES = (
    Suite("mangum", settings=PLACE / "mangum" / "package" / "pyproject.toml"),
    Suite("apig_wsgi"),
    Suite("a2wsgi", "tests/test_wsgi.py", "through_bridge"),
    Suite("asgiref", "tests/test_wsgi.py", "through_bridge"),
)


def verdict_of(suite: Suite) -> Verdict:
    place = PLACE / suite.name
    rows = suite.rows
    left_out, outcomes, output = (place / n for n in ("left-out.json", "outcomes.json", "output"))
    patterns = [test for row in rows if row.kind == "left_out" for test in row.tests]
    left_out.write_text(json.dumps(patterns))
    outcomes.unlink(missing_ok=True)
    run_into(
        output,
        f"Running {suite.name}'s tests",
        *(str(PYTHON), "-P", "-m", "pytest", "-c", str(suite.settings), "--rootdir", "."),
        *("-q", "--tb=short", "-p", "foreign_suite", "-p", suite.plugin, suite.tests),
        environ={
            "FOREIGN_LEFT_OUT": str(left_out),
            "FOREIGN_OUTCOMES": str(outcomes),
            "FOREIGN_PACKAGE": str(place / "package"),
            "PYTHONPATH": f"{INSIDE}{os.pathsep}{REPOSITORY_ROOT / 'src'}",
        },
        directory=place / "suite",
    )
    found = json.loads(outcomes.read_text())["outcomes"] if outcomes.exists() else {}
    verdict = judge(rows, found)
    if verdict.contrary:
        verdict = replace(verdict, contrary=(*verdict.contrary, f"see {output}"))
    return verdict


def versions() -> dict[str, str]:
    """Of the suites, by their names."""
    lines = (HERE / "sdists.txt").read_text().splitlines()
    pins = (line.split()[0].split("==") for line in lines if "==" in line)
    return {name.replace("-", "_"): version for name, version in pins}
