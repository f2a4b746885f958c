"""The size of the function's zip, bytecode included."""

from __future__ import annotations

from tests.bench.figures import Figure, Kind, Target
from tests.bench.run import Run, figure
from tests.bench.trees import TreeError, default_package_of, package_of

ROW = "zip"


def measure(run: Run) -> list[Figure]:
    run.progress.begin("Building the zip that `make package` builds")
    note = ""
    try:
        packages = {tree.name: default_package_of(tree) for tree in run.trees}
    except TreeError as error:
        reason = str(error).partition(". ")[0]
        note = f"the one for this machine's Python and CPU, since {reason}"
        packages = {tree.name: package_of(tree) for tree in run.trees}
    rounds = run.rounds(1, 1)  # all the same
    taken = {name: [package.zip.stat().st_size] * rounds for name, package in packages.items()}
    return [
        figure(
            ROW,
            "the zip",
            "MB",
            taken,
            lambda size: size / 1e6,
            target=Target(Kind.VALUE, 5),
            note=note,
        )
    ]
