"""A project's own virtual environment."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

_LINES_SHOWN = 20


class ProjectInstallError(Exception):
    """The project's requirements cannot be installed. The text holds pip's last words."""


async def run_program(*argv: str) -> None:
    """Raises ProjectInstallError with its last words where it fails."""
    # PYTHONPATH would show pip the caller's packages as if they were the project's.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environ,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        raise
    if process.returncode:
        last = output.decode(errors="replace").splitlines()[-_LINES_SHOWN:]
        raise ProjectInstallError("\n".join(["The app's requirements were not installed:", *last]))


async def install_project(
    requirements: Path,
    *,
    beside: Sequence[str],
    build: Path,
    say: Callable[[str], None],
    run: Callable[..., Awaitable[None]] = run_program,
) -> Path:
    """The interpreter of the project's environment below `build`, which is made or brought up to
    date where the requirements have changed. `beside` are pip's arguments for what the project does
    not name itself: this library, and the client that runs its handler.

    Raises ProjectInstallError, OSError.
    """
    folder = build / f"app-{requirements.parent.name}-{_digest(str(requirements))[:8]}"
    python = folder / "bin" / "python"
    installed = _Installed(folder / ".installed", requirements, beside)
    if installed.is_current():
        return python
    say(f"Installing {requirements.name} of {requirements.parent.name} into {folder} …")
    installed.forget()
    await run(sys.executable, "-m", "venv", str(folder))
    await run(
        *(str(python), "-m", "pip", "install", "--no-input", "--progress-bar", "off"),
        *("--disable-pip-version-check", *beside, "-r", str(requirements)),
    )
    installed.remember()
    return python


class _Installed:
    """What the environment was made for; a file in it that is written when pip has finished."""

    def __init__(self, file: Path, requirements: Path, beside: Sequence[str]) -> None:
        self._file = file
        self._state = _digest(sys.version, *beside, requirements.read_text(encoding="utf-8"))

    def is_current(self) -> bool:
        return self._file.is_file() and self._file.read_text(encoding="utf-8") == self._state

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)

    def remember(self) -> None:
        self._file.write_text(self._state, encoding="utf-8")


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
