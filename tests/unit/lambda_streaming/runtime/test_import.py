from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SRC = Path(__file__).parents[4] / "src"
PROGRAM = """
import asyncio, dataclasses, json, sys
before = set(sys.modules)
import lambda_streaming.runtime.loop
print(*sorted(m for m in set(sys.modules) - before if not m.startswith("lambda_streaming")))
"""


def test_importing_the_runtime_costs_no_more_than_asyncio_dataclasses_and_json() -> None:
    """A cold start pays for every module: http.client, email and urllib are left out."""
    imported = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert imported.stdout.split() == ["__future__"]
