"""Packages that only some pages are tried with: installed once, beside the environment."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from local_aws.settings import REPOSITORY_ROOT
from tests.absence import missing

_BUILD = REPOSITORY_ROOT / "build/documentation"
_INSTALL_SECONDS = 240


def python_packages(name: str, *requirements: str) -> Path:
    """A folder for the front of the module path. What they require themselves is in the
    environment."""
    folder = _BUILD / f"{name}-python{sys.version_info.major}.{sys.version_info.minor}"
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
    argv += ["--disable-pip-version-check", "--target", str(folder), *requirements]
    _once(folder, "\n".join(requirements), lambda: _run(argv, folder))
    return folder


def npm_packages(source: Path) -> Path:
    """The folder that has the `node_modules` of a package-lock.json."""
    npm = shutil.which("npm") or missing("npm is not installed")
    folder = _BUILD / source.name

    def install() -> None:
        for file in ("package.json", "package-lock.json"):
            shutil.copy(source / file, folder)
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    _once(folder, (source / "package-lock.json").read_text(encoding="utf-8"), install)
    return folder


def _once(folder: Path, wanted: str, install: Callable[[], None]) -> None:
    marker = folder / ".installed"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes want it at once
        if marker.exists() and marker.read_text(encoding="utf-8") == wanted:
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        install()
        marker.write_text(wanted, encoding="utf-8")


def _run(argv: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
    )
    if done.returncode:
        missing(f"{' '.join(argv)} failed: {(done.stdout + done.stderr)[-300:]}")
