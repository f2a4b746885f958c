"""A FastAPI app on the library, beside the same app as people serve it today: streaming through
uvicorn behind Lambda Web Adapter, and not streaming through Mangum. Nobody traces anything."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.bench.figures import Figure, Kind
from tests.bench.functions import Command, Function
from tests.bench.peers.install import PEERS, install_python_peers, install_web_adapter
from tests.bench.rows.cold_start import ColdStart, started
from tests.bench.rows.peers import (
    FEW_BLOCKS,
    MANGUM,
    READY_BLOCKS,
    WEB_ADAPTER,
    asked,
    behind_web_adapter,
    by_query,
    each,
    warm,
    with_mangum,
)
from tests.bench.run import Run
from tests.bench.standins.runtime_api import UNSAMPLED
from tests.bench.trees import Tree

STREAMING_ROW = "apps"
COLD_ROW = "cold-apps"


def measure_streaming(run: Run) -> list[Figure]:
    python, adapter = install_python_peers(run.progress), install_web_adapter(run.progress)
    with ExitStack() as opened:
        subjects = {
            tree.name: by_query(opened.enter_context(_with_asgi(run, tree, python)))
            for tree in _with_apps(run)
        }
        subjects[WEB_ADAPTER] = by_query(
            opened.enter_context(behind_web_adapter(run, python, adapter))
        )
        run.progress.begin("A FastAPI app: blocks that are ready")
        run.in_turn(1, {name: partial(warm, serve) for name, serve in subjects.items()})
        ready = run.in_turn(run.rounds(7, 25), asked(subjects, READY_BLOCKS, 0))
        run.progress.begin("A FastAPI app: first bytes")
        first = run.in_turn(run.rounds(50, 200), asked(subjects, FEW_BLOCKS, 0))
    return [
        *each(
            STREAMING_ROW,
            "CPU per ready block",
            "µs",
            ready,
            lambda answer: answer.spent.cpu_ns / READY_BLOCKS / 1000,
            {WEB_ADAPTER: 0.8},
        ),
        *each(
            STREAMING_ROW,
            "elapsed from the event to the first byte",
            "ms",
            first,
            lambda answer: answer.first_byte_ms,
            {WEB_ADAPTER: 0.4},
            kind=Kind.MEDIAN_RATIO,
        ),
    ]


def measure_cold(run: Run) -> list[Figure]:
    python = install_python_peers(run.progress)
    run.progress.begin("Starting a FastAPI app cold")
    subjects: dict[str, Callable[[], ColdStart]] = {
        tree.name: partial(started, partial(_with_asgi, run, tree, python), UNSAMPLED)
        for tree in _with_apps(run)
    }
    subjects[MANGUM] = partial(started, partial(with_mangum, run, python), UNSAMPLED)
    taken = run.in_turn(run.rounds(9, 31), subjects)
    limits = {MANGUM: 1.0}
    return [
        *each(COLD_ROW, "CPU to the first /next", "ms", taken, lambda one: one.to_next_ms, limits),
        *each(
            COLD_ROW, "CPU to the first item", "ms", taken, lambda one: one.to_first_item_ms, limits
        ),
    ]


def _with_apps(run: Run) -> list[Tree]:
    """Older revisions serve none."""
    return [tree for tree in run.trees if (tree.source / "lambda_streaming/handlers.py").exists()]


def _with_asgi(run: Run, tree: Tree, python: Path) -> Function:
    environ = {
        **run.aws.environ(),
        "BENCH_PEER": "asgi",
        "PYTHONPATH": str(tree.source),
        "_HANDLER": "fastapi_app.handler",
    }
    argv = [str(python), "-m", "awslambdaric", "fastapi_app.handler"]
    return Function(Command(argv, environ, PEERS))
