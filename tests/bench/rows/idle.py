"""What a connection costs on which nothing happens, at default settings, in CPU time a minute.

Several of them side by side, since each is at rest nearly all the time.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from tests.bench.figures import Figure, Kind, Target
from tests.bench.functions import service, stream_event
from tests.bench.run import Run, figure

ROW = "idle"
_SETTLING_SECONDS = 16.0
"""Polls are 5 s apart from the fifth one on, which comes after 13 s at most."""
_WINDOW_SECONDS = 30.0
"""A whole number of polls, renewals and heartbeats."""
_STEP_SECONDS = 2.0


def measure(run: Run) -> list[Figure]:
    run.progress.begin("Leaving connections idle")
    windows = 4 if run.is_full else 1
    connections = max(3, run.rounds(1, 1) // windows)
    with ExitStack() as opened:
        functions = [
            (tree.name, opened.enter_context(service(tree, run.aws)))
            for _ in range(connections)
            for tree in run.trees
        ]
        for _, function in functions:
            function.begin(stream_event())
        _wait(run, _SETTLING_SECONDS, "settling")
        taken: dict[str, list[float]] = {tree.name: [] for tree in run.trees}
        for number in range(windows):
            started = time.monotonic()
            before = [function.processes.cpu_ns() for _, function in functions]
            _wait(run, _WINDOW_SECONDS, f"window {number + 1} of {windows}")
            minutes = (time.monotonic() - started) / 60
            for (name, function), start in zip(functions, before, strict=True):
                taken[name].append((function.processes.cpu_ns() - start) / 1e6 / minutes)
    return [
        figure(
            ROW,
            "CPU of an idle connection a minute",
            "ms",
            taken,
            float,
            target=Target(Kind.VALUE, 100),
            note=f"{connections} connections, {windows * _WINDOW_SECONDS:g} s of each",
        )
    ]


def _wait(run: Run, seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(_STEP_SECONDS, left))
        run.progress.step(f"{what}: {max(0.0, left - _STEP_SECONDS):.0f} s left")
