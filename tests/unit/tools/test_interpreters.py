from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.interpreters import InterpreterNotFoundError, interpreter_for

THIS_VERSION = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    """As pyenv puts one on PATH: it runs a Python only where a variable chooses one."""
    script = tmp_path / f"python{THIS_VERSION}"
    script.write_text(
        f'#!/bin/sh\n[ "$CHOSEN" = yes ] || exit 127\nexec "{sys.executable}" "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return str(script)


@pytest.mark.parametrize("is_given", [True, False])
def test_an_interpreter_behind_a_stand_in_runs_without_the_stand_ins_variable(
    stand_in: str, is_given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHOSEN", "yes")
    monkeypatch.setenv("PATH", str(Path(stand_in).parent), prepend=":")
    found = interpreter_for(THIS_VERSION, stand_in if is_given else None)
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([found, "-c", question], env={}, capture_output=True, text=True)
    assert answer.stdout.strip() == THIS_VERSION


def test_a_stand_in_that_runs_nothing_is_not_taken(stand_in: str) -> None:
    with pytest.raises(InterpreterNotFoundError, match=f"is not Python {THIS_VERSION}"):
        interpreter_for(THIS_VERSION, stand_in)


def test_an_interpreter_of_another_version_is_refused() -> None:
    with pytest.raises(InterpreterNotFoundError, match=r"is not Python 2\.7"):
        interpreter_for("2.7", sys.executable)
