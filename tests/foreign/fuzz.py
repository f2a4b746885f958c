"""Schemathesis against the FastAPI example: what it finds wrong at the local Function URL and not
under uvicorn is ours."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local_aws.settings import REPOSITORY_ROOT
from tests.counts import count
from tests.examples.ways import served, wait_until_free
from tests.foreign.install import HERE, PLACE
from tests.foreign.running import run_into

APP = "examples.tour.app"
SCHEMATHESIS = PLACE / "venv" / "bin" / "schemathesis"
EXAMPLES = count(200)
"""For each operation and kind of data."""


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """How many requests were made, what fails under uvicorn, and what fails only here."""

    of_uvicorn: int
    of_the_url: int
    uvicorns: tuple[str, ...]
    contrary: tuple[str, ...]


def fuzz() -> Fuzzed:
    place = PLACE / "schemathesis"
    place.mkdir(exist_ok=True)
    baseline = place / "uvicorns-failures.json"
    baseline.unlink(missing_ok=True)
    uvicorn, ours = place / "uvicorn", place / "function-url"
    with uvicorn_serving(APP) as url, gate(lambda: None) as port:
        _run(uvicorn, url, port, "uvicorn", baseline, "--baseline-update")
    failures = json.loads(baseline.read_text())["entries"] if baseline.exists() else []
    with served(f"{APP}:handler") as stack, gate(lambda: wait_until_free(stack)) as port:
        status = _run(ours, stack.url, port, "the Function URL", baseline)
    of_uvicorn, of_the_url = _requests(uvicorn), _requests(ours)
    contrary: list[str] = []
    if not (of_uvicorn and of_the_url):
        contrary.append(f"no requests were made: see {uvicorn} and {ours}")
    if status:
        contrary.append(f"failures that uvicorn does not have: see {ours}")
    return Fuzzed(
        of_uvicorn,
        of_the_url,
        tuple(f"{one['operation']}: {one['check']} {one['signature']}" for one in failures),
        tuple(contrary),
    )


def _run(output: Path, url: str, port: int, what: str, baseline: Path, *more: str) -> int:
    return run_into(
        output,
        f"Running schemathesis against {what}",
        *(str(SCHEMATHESIS), "run", f"{url}/openapi.json", "--no-color"),
        *("--generation-deterministic", "--max-examples", str(EXAMPLES)),
        *("--suppress-health-check", "all", "--baseline", str(baseline), *more),
        environ={
            "FOREIGN_GATE": str(port),
            "SCHEMATHESIS_HOOKS": "before_each_call",
            "PYTHONPATH": str(HERE / "inside" / "hooks"),
        },
        directory=output.parent,
    )


def _requests(output: Path) -> int:
    found = re.search(r"(\d+) generated", output.read_text())
    return int(found[1]) if found else 0


@contextlib.contextmanager
def gate(wait: Callable[[], None]) -> Iterator[int]:
    """The port whose connections get a byte when `wait` returns, and no later than that."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:  # closed
                    return
                with connection:
                    wait()
                    connection.sendall(b"!")

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def uvicorn_serving(app: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", f"{app}:app", "--port", str(port)]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY_ROOT / "src")}
    with subprocess.Popen(
        [*command, "--log-level", "warning"], cwd=REPOSITORY_ROOT, env=environ
    ) as process:
        try:
            _wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError("uvicorn does not listen")
