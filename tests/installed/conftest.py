"""The library as its users have it: the wheel, in environments that hold nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.absence import missing
from tools.interpreters import InterpreterNotFoundError, interpreter_for

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.11", "3.13")
OWN_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install .` installs, built by the build backend of requirements.txt."""
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            *(*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
            *("--wheel-dir", place, ROOT),
        ],
        check=True,
    )
    (built,) = place.glob("*.whl")
    return built


def _only_in_ci(version: str) -> list[pytest.MarkDecorator]:
    """Others than the interpreter that runs the tests."""
    return [] if version == OWN_VERSION else [pytest.mark.ci]


@pytest.fixture(
    scope="session", params=[pytest.param(one, marks=_only_in_ci(one)) for one in VERSIONS]
)
def python(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An interpreter that has the wheel and the standard library, not even pip."""
    try:
        interpreter = interpreter_for(request.param)
    except InterpreterNotFoundError as error:
        missing(str(error))
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([interpreter, "-m", "venv", "--without-pip", place], check=True)
    python = place / "bin" / "python"
    subprocess.run(
        [*PIP, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel],
        check=True,
    )
    return python
