"""`make bench` and `make bench-peers`: what the function costs, beside what else could be done.

See docs/bench.md for how to read it.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figures import Figure, Skipped
from tests.bench.functions import Aws
from tests.bench.report import comparison_table, notes, table, to_json
from tests.bench.rows import (
    after_response,
    apps,
    cold_start,
    feed,
    idle,
    latency,
    loop,
    memory,
    package_size,
    peers,
    tracing,
)
from tests.bench.run import Progress, Run
from tests.bench.standins.runtime_api import FunctionFailedError
from tests.bench.trees import NOW, Tree, TreeError, present_tree, tree_of

Measure = Callable[[Run], list[Figure]]

ROWS: Mapping[str, Measure] = {
    module.ROW: module.measure
    for module in (
        *(loop, feed, tracing, cold_start, memory),
        *(after_response, idle, latency, package_size),
    )
}
PEER_ROWS: Mapping[str, Measure] = {
    peers.STREAMING_ROW: peers.measure_streaming,
    peers.COLD_ROW: peers.measure_cold,
    apps.STREAMING_ROW: apps.measure_streaming,
    apps.COLD_ROW: apps.measure_cold,
}
_BUSY_LOAD_PER_CORE = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. 1: a limit was broken or a row failed; 2: nothing could be measured."""
    given = _parse(arguments)
    if sys.platform != "linux":
        sys.stderr.write("bench: only Linux tells the CPU time of another process finely enough\n")
        return 2
    rows = {**ROWS, **PEER_ROWS}
    names = given.rows or list(PEER_ROWS if given.peers else ROWS)
    if unknown := [name for name in names if name not in rows]:
        sys.stderr.write(f"bench: no row {', '.join(unknown)}; there are {', '.join(rows)}\n")
        return 2
    started = time.monotonic()
    about = _about(given.full)
    sys.stderr.write(_warning(os.getloadavg()[0]))
    with ExitStack() as opened:
        try:
            trees: list[Tree] = [present_tree()]
            if given.base:
                trees.append(opened.enter_context(tree_of(given.base)))
            for tree in trees:
                about[tree.name] = tree.revision
                assert tree.adapter
        except TreeError as error:
            sys.stderr.write(f"bench: {error}\n")
            return 2
        run = Run(trees, opened.enter_context(Aws()), Progress(), given.full)
        figures, skipped, is_broken = _measured(run, {name: rows[name] for name in names})
    about["load_after"] = os.getloadavg()[0]
    about["seconds"] = round(time.monotonic() - started)
    _print(about, figures, skipped)
    if given.json is not None:
        given.json.write_text(to_json(figures, skipped, about), encoding="utf-8")
    return 1 if is_broken or any(figure.fails for figure in figures) else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--rows", type=_names, default=[], help=f"of {', '.join((*ROWS, *PEER_ROWS))}"
    )
    parser.add_argument("--peers", action="store_true", help="the rows against other runtimes")
    parser.add_argument("--base", help="a revision to compare with")
    parser.add_argument("--json", type=Path, help="a file for everything that was measured")
    parser.add_argument("--full", action="store_true", help="more rounds and longer ones")
    return parser.parse_args(arguments)


def _names(text: str) -> list[str]:
    return [name for name in text.replace(",", " ").split() if name]


def _measured(run: Run, rows: Mapping[str, Measure]) -> tuple[list[Figure], list[Skipped], bool]:
    """A row that this machine cannot measure is skipped; one that broke makes the run fail."""
    figures: list[Figure] = []
    skipped: list[Skipped] = []
    is_broken = False
    for name, measure in rows.items():
        try:
            figures += measure(run)
        except TreeError as error:
            skipped.append(Skipped(name, str(error)))
        except FunctionFailedError as error:
            skipped.append(Skipped(name, f"the measurement broke: {error}"))
            is_broken = True
    return figures, skipped, is_broken


def _about(is_full: bool) -> dict[str, object]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "mode": "full" if is_full else "quick",
        "load_before": os.getloadavg()[0],
    }


def _warning(load: float) -> str:
    if load < _BUSY_LOAD_PER_CORE * (os.cpu_count() or 1):
        return ""
    return (
        f"The machine is busy (load {load:.1f}): ratios hold roughly, single numbers do not."
        " Measure again when it is quiet.\n"
    )


def _print(
    about: Mapping[str, object], figures: Sequence[Figure], skipped: Sequence[Skipped]
) -> None:
    write = sys.stdout.write
    write(
        f"\n{about[NOW]}, Python {about['python']}, {about['machine']}, {about['mode']} mode,"
        f" {about['seconds']} s; load {about['load_before']:.1f} before,"
        f" {about['load_after']:.1f} after\n"
        "Each side: best (median to worst) of its rounds. Ratio: best to best. CPU time throughout,"
        " unless a line says elapsed.\n\n"
    )
    write(table(figures))
    if told := notes(figures):
        write(f"\n{told}")
    if "base" in about:
        write(f"\nCompared with {about['base']}, round by round:\n\n")
        write(comparison_table(figures, str(about["base"])))
    for row in skipped:
        write(f"\n{row.row} was not measured: {row.reason}\n")


if __name__ == "__main__":
    sys.exit(main())
