"""CPU time of a cold start from the unpacked zip, beside everything imported and built eagerly."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from tests.bench.figures import Figure, Kind, Target
from tests.bench.functions import SERVICE, Command, Function, stream_event
from tests.bench.run import PEER, Run, figure
from tests.bench.standins.runtime_api import SAMPLED, UNSAMPLED
from tests.bench.trees import ROOT, Package, Tree, package_of, runtime_packages

ROW = "cold"
ITEM = b"event: sentiment\n"


@dataclass(frozen=True, slots=True)
class ColdStart:
    """CPU time from the start of the process, in ms."""

    to_next_ms: float
    to_first_item_ms: float
    first_byte_ms: float
    """Elapsed time from the event to the first byte of the body."""


def measure(run: Run) -> list[Figure]:
    run.progress.begin("Building the zip")
    packages = {tree.name: package_of(tree) for tree in run.trees}
    run.progress.begin("Starting cold")
    subjects: dict[str, Callable[[], ColdStart]] = {}
    for sampled, header in (("", UNSAMPLED), ("sampled ", SAMPLED)):
        for tree in run.trees:
            function = partial(from_zip, run, packages[tree.name])
            subjects[sampled + tree.name] = partial(started, function, header)
        eager = partial(_eager, run, run.trees[0], packages[run.trees[0].name])
        subjects[sampled + PEER] = partial(started, eager, header)
    taken = run.in_turn(run.rounds(7, 21), subjects)
    unsampled = {tree: taken[tree] for tree in taken if not tree.startswith("sampled ")}
    sampled_ones = {
        tree.removeprefix("sampled "): taken[tree] for tree in taken if tree.startswith("sampled ")
    }
    return [
        _figure("to the first /next", unsampled, lambda start: start.to_next_ms, 0.7),
        _figure("to the first item", unsampled, lambda start: start.to_first_item_ms, 0.85),
        _figure(
            "to the first item, sampled", sampled_ones, lambda start: start.to_first_item_ms, 0.85
        ),
        figure(
            ROW,
            "elapsed from the first event to the first byte, sampled",
            "ms",
            sampled_ones,
            lambda start: start.first_byte_ms,
            peer=PEER,
            peer_name="all eager",
        ),
    ]


def started(make: Callable[[], Function], trace_header: str) -> ColdStart:
    """One cold start, up to an item of its first stream."""
    with make() as function:
        first = function.first_next.usage.cpu_ns
        answer = function.invoke(stream_event(backfill="1"), trace_header=trace_header, marker=ITEM)
        return ColdStart(first / 1e6, answer.marker_cpu_ns / 1e6, answer.first_byte_ms)


def cold_command(
    run: Run, handler: str, package: Package, environ: Mapping[str, str], *path: str
) -> Command:
    """As the managed runtime starts it: `-S`, so that nothing of the .venv can be found."""
    path_entries = os.pathsep.join((str(runtime_packages()), *path))
    return Command(
        [sys.executable, "-S", "-m", "awslambdaric", handler],
        {**environ, "PYTHONPATH": path_entries, "_HANDLER": handler},
        package.unpacked,
    )


def from_zip(run: Run, package: Package) -> Function:
    """The service as it is deployed."""
    return Function(cold_command(run, SERVICE, package, _environ(run)))


def _eager(run: Run, tree: Tree, package: Package) -> Function:
    environ = {**_environ(run), "BENCH_TASK": "eager"}
    return Function(cold_command(run, f"{tree.adapter}.handler", package, environ, str(ROOT)))


def _environ(run: Run) -> dict[str, str]:
    return run.aws.environ()


def _figure(
    name: str,
    taken: Mapping[str, list[ColdStart]],
    value: Callable[[ColdStart], float],
    limit: float,
) -> Figure:
    return figure(
        ROW,
        f"CPU {name}",
        "ms",
        taken,
        value,
        target=Target(Kind.RATIO, limit),
        peer=PEER,
        peer_name="all eager",
    )
