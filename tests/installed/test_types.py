"""A user's type checker knows the public names, from the wheel alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import lambda_streaming

PUBLIC = [name for name in lambda_streaming.__all__ if name != "__version__"]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return tmp_path / "app.py"


def mypy_says(python: Path, app: Path, program: str) -> str:
    """About a program of somebody who installed the wheel, with mypy's strictest rules."""
    app.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"),
            *("--python-executable", python, "--cache-dir", app.parent / "cache", app.name),
        ],
        cwd=app.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_every_public_name_has_a_type(python: Path, app: Path) -> None:
    lines = ["import lambda_streaming", *(f"reveal_type(lambda_streaming.{n})" for n in PUBLIC)]
    said = mypy_says(python, app, "\n".join(lines))
    revealed = re.findall(r'Revealed type is "(.+)"', said)
    assert len(revealed) == len(PUBLIC), said
    assert [one for one in revealed if one in ("Any", "object", "builtins.object")] == []
    assert "error:" not in said


def test_mistakes_are_found(python: Path, app: Path) -> None:
    said = mypy_says(
        python,
        app,
        "import lambda_streaming\n"
        "from lambda_streaming import Request, step\n"
        "def length_of(request: Request) -> int:\n"
        '    with step("lookup", path=request.path):\n'
        "        return request.path\n"
        "lambda_streaming.Requst\n",
    )
    assert re.findall(r":(\d+): error: .*\[([\w-]+)\]", said) == [
        ("5", "return-value"),
        ("6", "attr-defined"),
    ]
