"""A plugin for pytest in the suites' own interpreter: which test had which outcome, as JSON.

FOREIGN_LEFT_OUT names a file of JSON with patterns of tests that do not apply, which are not run;
FOREIGN_OUTCOMES the file to be written.
"""

from __future__ import annotations

import json
import os
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

_outcomes: dict[str, str] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    patterns: list[str] = json.loads(Path(os.environ["FOREIGN_LEFT_OUT"]).read_text())
    left_out = [
        item for item in items if any(fnmatchcase(_plain(item.nodeid), one) for one in patterns)
    ]
    _outcomes.update((item.nodeid, "left out") for item in left_out)
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test that passes may still fail where its fixtures are taken down."""
    tells = report.outcome != "passed" or report.when == "call"
    if tells and _outcomes.get(report.nodeid) != "failed":
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    Path(os.environ["FOREIGN_OUTCOMES"]).write_text(
        json.dumps({"exit": int(exitstatus), "outcomes": _outcomes})
    )


def _plain(nodeid: str) -> str:
    """Without the brackets that patterns give a meaning of their own."""
    return nodeid.replace("[", "(").replace("]", ")")
