"""A command that is silent for long, run with a sign of life."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tools import patiently


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@pytest.fixture
def frequent_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_aws.progress._EVERY_SECONDS", 0.02)


@pytest.mark.usefixtures("frequent_progress")
def test_a_long_command_shows_its_last_line_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough = tmp_path / "enough"
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if len([line for line in said if "Collecting boto3" in line]) == 2:
            enough.touch()

    monkeypatch.setattr(patiently, "_say", say)
    program = f"""
import os, time
print("Looking\\nCollecting boto3\\n", flush=True)
while not os.path.exists({str(enough)!r}):
    time.sleep(0.01)
"""
    assert patiently.main(["Installing", *python(program)]) == 0
    assert all(line.startswith("Installing: still at it after ") for line in said)
    assert not any("Looking" in line for line in said)


def test_a_short_command_is_not_talked_about(capfd: pytest.CaptureFixture[str]) -> None:
    assert patiently.main(["Installing", *python("print('packages')")]) == 0
    assert capfd.readouterr().out == ""


def test_the_output_is_shown_whole_where_it_is_wanted(capfd: pytest.CaptureFixture[str]) -> None:
    lines = "".join(f"{number}\n" for number in range(5_000))
    program = python("print(*range(5_000), sep='\\n')")
    assert patiently.main(["--output", "Checking", *program]) == 0
    assert capfd.readouterr().out == lines


def test_a_failure_shows_the_commands_last_lines_and_keeps_its_status(
    capfd: pytest.CaptureFixture[str],
) -> None:
    program = python("import sys; print(*range(99), sep='\\n'); sys.exit('no network')")
    assert patiently.main(["Installing", *program]) == 1
    shown = capfd.readouterr().out.splitlines()
    assert shown[-2:] == ["98", "no network"]
    assert len(shown) == 40
    killed = python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert patiently.main(["Installing", *killed]) == 128 + 9


def test_a_command_that_is_missing_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert patiently.main(["Installing", "no-such-command", "-m", "x"]) == 127
    assert capfd.readouterr().out == "Installing: there is no no-such-command.\n"


@pytest.mark.usefixtures("frequent_progress")
def test_the_command_ends_with_the_one_that_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = tmp_path / "ended"
    program = f"""
import signal, sys, time
def end(*_):
    open({str(ended)!r}, "w").close()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""

    def interrupt_when_ready(text: str) -> None:
        if "ready" in text and not ended.exists():
            os.kill(os.getpid(), 15)

    monkeypatch.setattr(patiently, "_say", interrupt_when_ready)
    assert patiently.main(["Installing", *python(program)]) == 130
    assert ended.exists()
