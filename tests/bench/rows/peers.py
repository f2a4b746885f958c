"""Against what people stream with today: AWS's client for Node.js, which streams natively, and
FastAPI on uvicorn behind Lambda Web Adapter; for cold starts also FastAPI with Mangum, which does
not stream."""

from __future__ import annotations

import os
import socket
import statistics
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure, Kind, Target
from tests.bench.functions import Command, Function, adapted, program, stream_event
from tests.bench.peers.install import (
    PEERS,
    install_node_client,
    install_python_peers,
    install_web_adapter,
)
from tests.bench.rows import cold_start
from tests.bench.rows.cold_start import ColdStart, started
from tests.bench.rows.loop import BLOCK
from tests.bench.run import Run, figure
from tests.bench.standins.runtime_api import UNSAMPLED, Answer
from tests.bench.trees import package_of

STREAMING_ROW = "peers"
COLD_ROW = "cold-peers"

NODE, WEB_ADAPTER, MANGUM = "Node client", "uvicorn + Web Adapter", "FastAPI + Mangum"
READY_BLOCKS = 20_000
FEW_BLOCKS = 10
_PACED_BLOCKS = 1_000
_PAUSE_SECONDS = 0.001

Serve = Callable[[int, float], Answer]
"""Answers one invocation with so many blocks and so long a pause before each."""


def measure_streaming(run: Run) -> list[Figure]:
    node = install_node_client(run.progress)
    python, adapter = install_python_peers(run.progress), install_web_adapter(run.progress)
    with ExitStack() as opened:
        subjects = {
            tree.name: _by_body(opened.enter_context(adapted(tree, run.aws, "blocks")))
            for tree in run.trees
        }
        subjects[NODE] = _by_body(opened.enter_context(_node(run, node)))
        subjects[WEB_ADAPTER] = by_query(
            opened.enter_context(behind_web_adapter(run, python, adapter))
        )
        bare = _by_body(opened.enter_context(program("bare_socket.py", "ready")))
        run.progress.begin("Streaming beside other runtimes: blocks that are ready")
        warmed = {name: partial(warm, serve) for name, serve in subjects.items()}
        run.in_turn(1, warmed)
        ready = run.in_turn(run.rounds(7, 25), asked(subjects, READY_BLOCKS, 0))
        run.progress.begin("Streaming beside other runtimes: first bytes")
        first = run.in_turn(run.rounds(50, 200), asked(subjects | {"floor": bare}, FEW_BLOCKS, 0))
        run.progress.begin("Streaming beside other runtimes: one block a millisecond")
        paced = run.in_turn(run.rounds(3, 11), asked(subjects, _PACED_BLOCKS, _PAUSE_SECONDS))
    floor = statistics.median(answer.first_byte_ms for answer in first["floor"])
    return [
        *each(
            STREAMING_ROW,
            "CPU per ready block",
            "µs",
            ready,
            lambda answer: answer.spent.cpu_ns / READY_BLOCKS / 1000,
            {NODE: 0.6, WEB_ADAPTER: 0.8},
        ),
        *each(
            STREAMING_ROW,
            "elapsed from the event to the first byte",
            "ms",
            first,
            lambda answer: answer.first_byte_ms,
            {NODE: 0.6, WEB_ADAPTER: 0.4},
            kind=Kind.MEDIAN_RATIO,
            note=f"of it the stand-in's part: a bare socket loop takes {floor:.2f} ms (median)",
        ),
        *each(
            STREAMING_ROW,
            "CPU per block, one a millisecond",
            "µs",
            paced,
            lambda answer: answer.spent.cpu_ns / _PACED_BLOCKS / 1000,
            {NODE: None, WEB_ADAPTER: None},
        ),
    ]


def measure_cold(run: Run) -> list[Figure]:
    python, adapter = install_python_peers(run.progress), install_web_adapter(run.progress)
    run.progress.begin("Building the zip")
    packages = {tree.name: package_of(tree) for tree in run.trees}
    run.progress.begin("Starting cold beside other runtimes")
    subjects: dict[str, Callable[[], ColdStart]] = {
        name: partial(started, partial(cold_start.from_zip, run, package), UNSAMPLED)
        for name, package in packages.items()
    }
    subjects[WEB_ADAPTER] = partial(
        started, partial(behind_web_adapter, run, python, adapter), UNSAMPLED
    )
    subjects[MANGUM] = partial(started, partial(with_mangum, run, python), UNSAMPLED)
    taken = run.in_turn(run.rounds(7, 21), subjects)
    limits: Mapping[str, float | None] = {WEB_ADAPTER: 1.0, MANGUM: 1.0}
    return [
        *each(
            COLD_ROW, "CPU to the first /next", "ms", taken, lambda start: start.to_next_ms, limits
        ),
        *each(
            COLD_ROW,
            "CPU to the first item",
            "ms",
            taken,
            lambda start: start.to_first_item_ms,
            limits,
        ),
    ]


def each(
    row: str,
    name: str,
    unit: str,
    taken: Mapping[str, list[Any]],
    value: Callable[[Any], float],
    limits: Mapping[str, float | None],
    *,
    kind: Kind = Kind.RATIO,
    note: str = "",
) -> Iterable[Figure]:
    for peer, limit in limits.items():
        yield figure(
            row,
            name,
            unit,
            taken,
            value,
            target=None if limit is None else Target(kind, limit),
            peer=peer,
            peer_name=peer,
            note=note,
        )


# The subjects


def _by_body(function: Function) -> Serve:
    def serve(blocks: int, pause_seconds: float) -> Answer:
        return function.invoke({"blocks": blocks, "pause_seconds": pause_seconds, "block": BLOCK})

    return serve


def by_query(function: Function) -> Serve:
    def serve(blocks: int, pause_seconds: float) -> Answer:
        query = {"count": str(blocks), "size": str(len(BLOCK)), "pause_seconds": str(pause_seconds)}
        event = stream_event(**query)
        event["rawPath"] = event["requestContext"]["http"]["path"] = "/blocks"
        return function.invoke(event)

    return serve


def asked(
    subjects: Mapping[str, Serve], blocks: int, pause_seconds: float
) -> dict[str, Callable[[], Answer]]:
    return {name: partial(serve, blocks, pause_seconds) for name, serve in subjects.items()}


def warm(serve: Serve) -> None:
    """Node compiles what runs often: nobody is measured before that."""
    for _ in range(3):
        serve(READY_BLOCKS, 0)


def _node(run: Run, place: Path) -> Function:
    environ = {**run.aws.environ("blocks.handler"), "LAMBDA_TASK_ROOT": str(place)}
    argv = ["node", str(place / "node_modules" / "aws-lambda-ric" / "index.mjs"), "blocks.handler"]
    return Function(Command(argv, environ | _path(), place))


def behind_web_adapter(run: Run, python: Path, adapter: Path) -> Function:
    port = _free_port()
    environ = run.aws.environ() | _path()
    lwa = {
        "AWS_LWA_PORT": str(port),
        "AWS_LWA_READINESS_CHECK_PATH": "/health",
        "AWS_LWA_INVOKE_MODE": "response_stream",
    }
    serving = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    app = [str(python), "-m", "uvicorn", "fastapi_app:app", *serving]
    return Function(Command([str(adapter)], environ | lwa, PEERS), Command(app, environ, PEERS))


def with_mangum(run: Run, python: Path) -> Function:
    argv = [str(python), "-m", "awslambdaric", "fastapi_app.handler"]
    return Function(Command(argv, {**run.aws.environ(), "BENCH_PEER": "mangum"}, PEERS))


def _path() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
