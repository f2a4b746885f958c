"""Installs the peers under build/, once; each that cannot be had here says why."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.run import Progress
from tests.bench.trees import BENCH, BUILT, TreeError

PEERS = BENCH / "peers"
NODE = BUILT / "peers" / "node"
PYTHON = BUILT / "peers" / f"venv-{sys.version_info[0]}.{sys.version_info[1]}" / "bin" / "python"
ADAPTER = BUILT / "peers" / "cargo" / "bin" / "lambda-adapter"

ADAPTER_VERSION = "1.0.0-rc1"


def install_node_client(progress: Progress) -> Path:
    """AWS's runtime interface client for Node.js; the folder that holds it and the handler.

    Raises TreeError.
    """
    sources = [PEERS / "node" / name for name in ("package.json", "package-lock.json")]
    if _is_new(NODE, sources):
        npm = _found("npm", "Node.js with npm")
        progress.begin("Installing AWS's runtime interface client for Node.js (compiles for 2 min)")
        shutil.rmtree(NODE, ignore_errors=True)
        NODE.mkdir(parents=True)
        for source in sources:
            shutil.copy(source, NODE)
        _run(progress, [npm, "ci", "--no-audit", "--no-fund", "--foreground-scripts"], NODE)
        _keep(NODE, sources)
    shutil.copy(PEERS / "node" / "blocks.mjs", NODE)
    return NODE


def install_python_peers(progress: Progress) -> Path:
    """FastAPI, uvicorn and Mangum; their Python. Raises TreeError."""
    place = PYTHON.parents[1]
    sources = [PEERS / "requirements.txt"]
    if _is_new(place, sources):
        progress.begin("Installing FastAPI, uvicorn and Mangum")
        shutil.rmtree(place, ignore_errors=True)
        _run(progress, [sys.executable, "-m", "venv", str(place)], BENCH)
        requirements = ["--disable-pip-version-check", "--requirement", str(sources[0])]
        _run(progress, [str(PYTHON), "-m", "pip", "install", *requirements], BENCH)
        _keep(place, sources)
    return PYTHON


def install_web_adapter(progress: Progress) -> Path:
    """Lambda Web Adapter's binary. Raises TreeError."""
    if not ADAPTER.exists():
        cargo = _found("cargo", "Rust with cargo")
        progress.begin("Compiling Lambda Web Adapter (several minutes, once)")
        root = ADAPTER.parents[1]
        install = [cargo, "install", "lambda_web_adapter", "--version", ADAPTER_VERSION, "--locked"]
        _run(progress, [*install, "--root", str(root)], BENCH)
    return ADAPTER


def _found(program: str, what: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise TreeError(f"{what} is not installed")
    return found


def _run(progress: Progress, command: Sequence[str], working_directory: Path) -> None:
    lines: list[str] = []
    with subprocess.Popen(
        command,
        cwd=working_directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            lines.append(line)
            progress.step(line.strip()[:100])
    if running.returncode:
        raise TreeError(f"{' '.join(command[:3])} … failed:\n{''.join(lines[-15:])}")


def _is_new(place: Path, sources: Sequence[Path]) -> bool:
    installed = place / "installed-from"
    return not installed.exists() or installed.read_text() != _digest(sources)


def _keep(place: Path, sources: Sequence[Path]) -> None:
    (place / "installed-from").write_text(_digest(sources))


def _digest(sources: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
