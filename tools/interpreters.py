"""Finds a CPython of a given version on this machine: bytecode must be made by the one it is for.

An interpreter of another version writes bytecode that the function's Python ignores.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class InterpreterNotFoundError(Exception):
    """The wanted Python is not on this machine; the message says what can be done."""


def host_architecture() -> str:
    """This machine's CPU, as Lambda names it."""
    return {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower(), "x86_64")


def bare_environment() -> dict[str, str]:
    """The variables that an interpreter is started with, so that it is nobody's in particular."""
    # Some interpreters find their own shared library by these variables alone.
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ}


def interpreter_for(version: str, given: str | None = None) -> str:
    """A Python of `version` ("3.13"): the one `given`, else from PATH, else from pyenv.

    It is named by its own file, which runs in any environment: what is found may be a stand-in that
    chooses by a variable (pyenv's by PYENV_VERSION). Raises InterpreterNotFoundError.
    """
    for candidate in [given] if given else _candidates(version):
        found = _ask(candidate)
        if found is not None and found.version == version:
            return found.executable
    what = f"{given} is not Python {version}" if given else f"no Python {version} found"
    raise InterpreterNotFoundError(
        f"{what}. The zip's bytecode has to be made by the version that runs it. Put"
        f" python{version} on PATH, name one (make package INTERPRETER=/path/to/python{version}),"
        " choose the version you have (PYTHON_VERSION=…, and the module's python_version), or go"
        " without bytecode and pay for a slower cold start (NO_BYTECODE=1)."
    )


def _candidates(version: str) -> Iterator[str]:
    found = shutil.which(f"python{version}")
    if found:
        yield found
    pyenv = shutil.which("pyenv")
    if pyenv:
        answer = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False)
        root = Path(answer.stdout.strip())
        if answer.returncode == 0:
            yield from map(str, sorted(root.glob(f"versions/{version}.*/bin/python{version}")))


@dataclass(frozen=True, slots=True)
class _Found:
    version: str
    executable: str


def _ask(interpreter: str) -> _Found | None:
    """What it says about itself: pyenv puts a stand-in on PATH even for versions it may not run."""
    question = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"
    try:
        answer = subprocess.run(
            [interpreter, "-I", "-c", question],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match answer.stdout.splitlines():
        case [version, executable] if answer.returncode == 0:
            return _Found(version, executable)
    return None
