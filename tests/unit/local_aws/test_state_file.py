"""Which of the running stacks a command is about."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from local_aws.feed.tables import TableNames
from local_aws.settings import Settings
from local_aws.state_file import NoStackError, RunningStack, forget, running_stack, state_file
from tests.fakes.declared_feeds import JOBS


@pytest.fixture
def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def stack(port: int, *, pid: int | None = None, connections: str = "connections") -> RunningStack:
    return RunningStack(
        pid=os.getpid() if pid is None else pid,
        url=f"http://127.0.0.1:{port}",
        console_url=f"http://127.0.0.1:{port + 1}",
        dynamodb_url="http://127.0.0.1:1",
        tables=TableNames(connections=connections, items_index="by_time"),
        feed=JOBS,
    )


def test_what_a_stack_has_written_is_read_again(tmp_path: Path) -> None:
    running = stack(8080)

    running.write(tmp_path / "stack.json")

    assert RunningStack.read(tmp_path / "stack.json") == running


class Folder:
    """Stacks that run in one checkout, started one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started = 0
        self.said: list[str] = []

    def starts(self, running: RunningStack) -> Path:
        file = self.path / f"stack-{running.port}.json"
        running.write(file)
        self.started += 1
        os.utime(file, (self.started, self.started))
        return file

    def chosen(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        connections_table: str | None = None,
        answers: Callable[[RunningStack], bool] = lambda _: True,
    ) -> int:
        return running_stack(
            environ or {},
            say=self.said.append,
            connections_table=connections_table,
            folder=self.path,
            answers=answers,
        ).port


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_the_only_stack_is_taken_whatever_its_port(folder: Folder) -> None:
    folder.starts(stack(9080))
    assert folder.chosen() == 9080
    assert folder.chosen({"PORT": ""}) == 9080
    assert folder.said == []


def test_of_several_the_one_on_the_default_port_is_taken_and_said(folder: Folder) -> None:
    for port in (9080, 8080, 7080):
        folder.starts(stack(port))
    assert folder.chosen() == 8080
    (line,) = folder.said
    assert line == (
        "3 local stacks are running. This is about PORT=8080; to choose another, give PORT=7080 or"
        " PORT=9080."
    )


def test_the_newest_is_taken_where_none_has_the_default_port(folder: Folder) -> None:
    for port in (7080, 9080, 8090):
        folder.starts(stack(port))
    assert folder.chosen() == 8090
    assert "PORT=8090" in folder.said[0]


def test_port_chooses_in_silence(folder: Folder) -> None:
    for port in (8080, 9080):
        folder.starts(stack(port))
    assert folder.chosen({"PORT": "9080"}) == 9080
    assert folder.said == []


def test_a_port_without_a_stack_is_refused_with_those_that_have_one(folder: Folder) -> None:
    for port in (9080, 8080):
        folder.starts(stack(port))
    with pytest.raises(NoStackError, match="PORT=7080, but with PORT=8080, PORT=9080"):
        folder.chosen({"PORT": "7080"})


def test_a_stack_that_ended_leaves_the_others_to_be_found(folder: Folder) -> None:
    folder.starts(stack(8080))
    second = folder.starts(stack(9080))
    forget(second)
    assert folder.chosen() == 8080
    assert folder.said == []


def test_a_stack_that_was_killed_is_none(folder: Folder, dead_pid: int) -> None:
    folder.starts(stack(9080))
    folder.starts(stack(8080, pid=dead_pid))
    assert folder.chosen() == 9080
    assert folder.said == []


def test_a_stack_whose_pid_another_process_has_by_now_is_none(folder: Folder) -> None:
    folder.starts(stack(9080))
    folder.starts(stack(8080))
    assert folder.chosen(answers=lambda one: one.port == 9080) == 9080
    with pytest.raises(NoStackError, match="make run"):
        folder.chosen(answers=lambda _: False)


def test_a_table_chooses_the_stack_that_has_it(folder: Folder) -> None:
    folder.starts(stack(8080))
    folder.starts(stack(9080, connections="other"))
    assert folder.chosen(connections_table="other") == 9080
    with pytest.raises(NoStackError):
        folder.chosen(connections_table="neither")


def test_a_file_that_is_named_is_the_only_one_looked_at(folder: Folder) -> None:
    folder.starts(stack(8080))
    file = folder.path / "elsewhere.json"
    stack(9080).write(file)
    assert folder.chosen({"LOCAL_STATE_FILE": str(file), "PORT": "8080"}) == 9080
    file.unlink()
    with pytest.raises(NoStackError):
        folder.chosen({"LOCAL_STATE_FILE": str(file)})


def test_each_port_has_a_file_of_its_own_unless_one_is_named() -> None:
    settings = Settings.from_environ({})
    assert state_file(settings, port=9080) != state_file(settings, port=8080)
    named = Settings.from_environ({"LOCAL_STATE_FILE": "elsewhere.json"})
    assert state_file(named, port=9080) == Path("elsewhere.json").absolute()
