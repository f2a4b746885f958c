"""The size of the function's zip, bytecode included."""

from __future__ import annotations

import os
import sys

from tests.bench.report import Figure, Kind, Target
from tests.bench.run import Run, figure
from tests.bench.trees import package_of

ROW = "zip"


def measure(run: Run) -> list[Figure]:
    run.progress.begin("Building the zip")
    taken = {tree.name: [package_of(tree).zip.stat().st_size] for tree in run.trees}
    python = "{}.{}".format(*sys.version_info[:2])
    return [
        figure(
            ROW,
            "the zip",
            "MB",
            taken,
            lambda size: size / 1e6,
            target=Target(Kind.VALUE, 5),
            note=f"for Python {python} on {os.uname().machine}",
        )
    ]
