"""What tracing adds to one event block, against one bare OpenTelemetry span."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.bench.figures import Figure, Kind, Samples, Target
from tests.bench.run import Run
from tests.bench.trees import BASE, BENCH, NOW, ROOT, Tree

ROW = "tracing"
WITHIN_BUDGET_LIMIT = 1.5
BEYOND_BUDGET_LIMIT = 0.2

_KINDS = {
    "within": ("sampled, within the span budget", WITHIN_BUDGET_LIMIT),
    "beyond": ("sampled, beyond the span budget", BEYOND_BUDGET_LIMIT),
    "unsampled": ("unsampled", BEYOND_BUDGET_LIMIT),
    "off": ("kill switch", BEYOND_BUDGET_LIMIT),
}


def measure(run: Run, *, rounds: int | None = None) -> list[Figure]:
    run.progress.begin("Dispatching with tracing")
    with ExitStack() as opened:
        workers = {tree.name: opened.enter_context(_worker(tree)) for tree in run.trees}
        subjects = {name: partial(_one_round, worker) for name, worker in workers.items()}
        taken = run.in_turn(rounds or run.rounds(100, 500), subjects)

    def microseconds(tree: str, kind: str) -> Samples:
        return Samples(tuple(costs[kind] / 1000 for costs in taken[tree]))

    return [
        Figure(
            row=ROW,
            name=f"CPU per dispatch, {name}",
            unit="µs",
            ours=microseconds(NOW, kind),
            target=Target(Kind.RATIO, limit, is_enforced=True),
            peer=microseconds(NOW, "bare"),
            peer_name="bare OTel span",
            base=microseconds(BASE, kind) if BASE in taken else None,
        )
        for kind, (name, limit) in _KINDS.items()
    ]


@contextmanager
def _worker(tree: Tree) -> Iterator[subprocess.Popen[str]]:
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(tree.source))),
    }
    with subprocess.Popen(
        [sys.executable, str(BENCH / "processes" / "dispatches.py"), tree.adapter],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=environ,
    ) as worker:
        yield worker
        assert worker.stdin is not None
        worker.stdin.close()  # ends it


def _one_round(worker: subprocess.Popen[str]) -> Mapping[str, float]:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("\n")
    found: Mapping[str, float] = json.loads(worker.stdout.readline())
    return found
