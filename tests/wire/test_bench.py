"""The bench measures: its fastest rows, with few blocks, on processes and sockets as they are."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import __main__ as command
from tests.bench.figures import Figure, Samples
from tests.bench.functions import Aws, program, service, stream_event
from tests.bench.rows import loop
from tests.bench.run import Progress, Run
from tests.bench.standins.runtime_api import SAMPLED, FunctionFailedError
from tests.bench.trees import ROOT, TreeError, present_tree, tree_of

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="the bench reads Linux's CPU clocks"),
]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with Aws() as aws:
        yield Run([present_tree()], aws, Progress())


def test_ready_blocks_cost_something_on_both_sides(run: Run) -> None:
    cost, _ = loop.ready(run, blocks=500)

    assert cost.ours.best > 0
    assert cost.peer is not None
    assert cost.peer.best > 0
    assert "million blocks a second" in cost.note


def test_the_service_streams_between_the_stand_ins(run: Run) -> None:
    with service(run.trees[0], run.aws, SSE_MAX_STREAM_BYTES="1") as function:
        run.aws.spans()
        answer = function.invoke(stream_event(), trace_header=SAMPLED)
        ended = function.last_logged("stream ended")

        assert ended["reason"] == "bytes"
        assert ended["events"] == 2, "ready, end"
        assert ended["poll_errors"] == 0
        assert run.aws.spans() > 5
        assert answer.first_byte_ms > 0
        assert answer.after_response_ms > 0
        assert answer.spent.cpu_ns > 0
        assert function.processes.peak_memory_bytes() > 1 << 20


def test_a_marker_says_what_was_spent_until_it_came(run: Run) -> None:
    with service(run.trees[0], run.aws) as function:
        answer = function.invoke(stream_event(backfill="1"), marker=b"event: sentiment\n")

        assert answer.marker_cpu_ns > function.first_next.usage.cpu_ns > 0


def test_a_function_that_ends_is_told_with_its_log(run: Run) -> None:
    with (
        program("bare_socket.py", "ready") as function,
        pytest.raises(
            FunctionFailedError, match=r"(?s)has ended.*Its log ends:.*KeyError: 'block'"
        ),
    ):
        function.invoke({})


def test_somebody_elses_request_is_not_the_functions(run: Run) -> None:
    with program("bare_socket.py", "ready") as function:
        host, port = function.api.address.split(":")
        with socket.create_connection((host, int(port))) as other:
            other.sendall(b"GET /elsewhere HTTP/1.1\r\n\r\n")
            loop.stream(function, 10, 0)
            assert other.recv(10) == b""


def test_a_base_is_a_worktree_that_is_gone_afterwards() -> None:
    with tree_of("HEAD") as base:
        assert (base.source / "lambdas").is_dir()
        assert base.adapter == present_tree().adapter
        assert (base.root / ".venv/bin").is_dir(), "the local stack looks for its engine there"

    worktrees = subprocess.run(
        ["git", "worktree", "list"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert str(base.root) not in worktrees.stdout
    assert not base.root.exists()


def test_the_command_measures_prints_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The limits that it enforces depend on the machine: 0 or 1."""
    file = tmp_path / "bench.json"

    assert command.main(["--rows", "tracing", "--json", str(file)]) in (0, 1)

    assert "sampled, within the span budget" in capsys.readouterr().out
    document = json.loads(file.read_text())
    assert {row["row"] for row in document["rows"]} == {"tracing"}
    assert document["mode"] == "quick"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--rows", "nonsense"], "no row nonsense"), (["--base", "nonsense"], "no such revision")],
)
def test_what_cannot_be_measured_is_told_before_anything_is(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_missed_limit_and_a_broken_row_fail_the_run_and_a_skipped_one_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(run: Run) -> list[Figure]:
        return [Figure("loop", "CPU", "µs", Samples((1.0,)))]

    def missing(run: Run) -> list[Figure]:
        raise TreeError("no network")

    def broken(run: Run) -> list[Figure]:
        raise FunctionFailedError("it ended")

    monkeypatch.setattr(command, "ROWS", {"loop": found, "zip": missing, "cold": broken})

    assert command.main(["--rows", "loop,zip"]) == 0
    assert "zip was not measured: no network" in capsys.readouterr().out
    assert command.main(["--rows", "loop,cold"]) == 1
    assert "cold was not measured: the measurement broke: it ended" in capsys.readouterr().out
