"""A FastAPI app on the library, beside the same app as people serve it today: streaming through
uvicorn behind Lambda Web Adapter, and not streaming through Mangum. Nobody traces anything."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
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
from tests.bench.trees import BENCH, ROOT, Tree, library_of

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
        bare = by_query(opened.enter_context(_bare(run, python)))
        run.progress.begin("A FastAPI app: first bytes")
        first = run.in_turn(run.rounds(50, 200), asked(subjects | {"floor": bare}, FEW_BLOCKS, 0))
    floor = statistics.median(answer.first_byte_ms for answer in first["floor"])
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
            note=f"FastAPI itself, on a bare socket loop, takes {floor:.2f} ms (median)",
        ),
    ]


def measure_cold(run: Run) -> list[Figure]:
    python = install_python_peers(run.progress)
    run.progress.begin("Starting a FastAPI app cold")
    made_here: dict[str, Callable[[], ColdStart]] = {}
    by_name: dict[str, Callable[[], ColdStart]] = {}
    for tree in _with_apps(run):
        made_here[tree.name] = partial(started, partial(_with_asgi, run, tree, python), UNSAMPLED)
        by_name[tree.name] = partial(started, partial(_by_name, run, tree, python), UNSAMPLED)
    mangum: Callable[[], ColdStart] = partial(started, partial(with_mangum, run, python), UNSAMPLED)
    taken: dict[str, list[ColdStart]] = run.in_turn(
        run.rounds(9, 31),
        {
            **{f"by name {name}": start for name, start in by_name.items()},
            **made_here,
            MANGUM: mangum,
        },
    )
    named = {name: taken[f"by name {name}"] for name in by_name} | {MANGUM: taken[MANGUM]}
    return [
        *_cold("STREAMING_APP", named),
        *_cold("asgi(app)", taken),
    ]


def _cold(how: str, taken: Mapping[str, list[ColdStart]]) -> list[Figure]:
    figures: dict[str, Callable[[ColdStart], float]] = {
        "the first /next": lambda start: start.to_next_ms,
        "the first item": lambda start: start.to_first_item_ms,
    }
    return [
        figure
        for what, value in figures.items()
        for figure in each(COLD_ROW, f"{how}: CPU to {what}", "ms", taken, value, {MANGUM: 1.0})
    ]


def _with_apps(run: Run) -> list[Tree]:
    """Older revisions serve none."""
    return [tree for tree in run.trees if (tree.source / "lambda_streaming/handlers.py").exists()]


def _with_asgi(run: Run, tree: Tree, python: Path) -> Function:
    """The app's module makes the handler."""
    return _managed(run, tree, python, "fastapi_app.handler", BENCH_PEER="asgi")


def _bare(run: Run, python: Path) -> Function:
    own = {"PYTHONPATH": str(ROOT)}
    program = str(BENCH / "processes" / "bare_fastapi.py")
    return Function(Command([str(python), program], {**run.aws.environ(), **own}, BENCH))


def _by_name(run: Run, tree: Tree, python: Path) -> Function:
    """The app has no code for Lambda."""
    handler = "lambda_streaming.entrypoint.handler"
    return _managed(run, tree, python, handler, STREAMING_APP="fastapi_app:app")


def _managed(run: Run, tree: Tree, python: Path, handler: str, **own: str) -> Function:
    environ = {
        **run.aws.environ(),
        "PYTHONPATH": str(library_of(tree, python)),
        "_HANDLER": handler,
        **own,
    }
    return Function(Command([str(python), "-m", "awslambdaric", handler], environ, PEERS))
