"""How the function's process ends: by SIGTERM in every phase, and when it cannot go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.runtime_api import Event, FakeRuntimeApi, Treatment
from tests.fakes.tries import tried_again

ROOT = Path(__file__).parents[2]
EXIT_SECONDS = 0.3


@dataclass
class Process:
    popen: subprocess.Popen[str]

    def wait_for(self, word: str) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            if line.strip() == word:
                return
        raise AssertionError(f"the process ended without saying {word!r}")

    def terminate(self) -> tuple[float, list[str]]:
        """How long the process took to end with code 0, and what it said in that time."""
        started = time.monotonic()
        self.popen.send_signal(signal.SIGTERM)
        assert self.popen.wait(10) == 0
        seconds = time.monotonic() - started
        return seconds, self.rest()

    def rest(self) -> list[str]:
        assert self.popen.stdout is not None
        return self.popen.stdout.read().split()


@contextmanager
def function(scenario: str, api: str, **environ: str) -> Iterator[Process]:
    popen = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.fakes.runtime_process", scenario],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "AWS_LAMBDA_RUNTIME_API": api,
            **environ,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with popen:
        try:
            yield Process(popen)
        finally:
            popen.kill()


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("idle", ["flushed"]),
        ("hanging-shut-down", ["given-up"]),
        ("blocking-shut-down", []),
        ("failing-shut-down", []),
        ("other-thread", ["flushed"]),
    ],
)
@tried_again
def test_sigterm_while_idle_shuts_down_and_exits(scenario: str, said: list[str]) -> None:
    with FakeRuntimeApi() as api, function(scenario, api.endpoint) as process:
        api.add(Event())
        api.wait_until(lambda: len(api.polls()) == 2, 20)
        seconds, heard = process.terminate()
    assert seconds < EXIT_SECONDS
    assert heard == said


@tried_again
def test_sigterm_while_idle_takes_no_longer_than_the_shut_down() -> None:
    with FakeRuntimeApi() as api, function("other-thread", api.endpoint) as process:
        api.add(Event())
        api.wait_until(lambda: len(api.polls()) == 2, 20)
        seconds, _ = process.terminate()
    assert seconds < 0.15


def test_sigterm_that_another_thread_receives_ends_the_process_too() -> None:
    """The kernel gives a signal to any thread: to a worker, where the environment was frozen."""
    with FakeRuntimeApi() as api, function("sigterm-in-thread", api.endpoint) as process:
        api.add(Event())
        api.wait_until(lambda: len(api.polls()) == 2, 20)
        process.popen.send_signal(signal.SIGUSR1)
        assert process.popen.wait(10) == 0
        assert process.rest() == ["flushed"]


@tried_again
def test_a_second_sigterm_changes_nothing() -> None:
    with FakeRuntimeApi() as api, function("stream", api.endpoint) as process:
        api.add(Event())
        process.wait_for("streaming")
        process.popen.send_signal(signal.SIGTERM)
        process.wait_for("finalised")
        seconds, heard = process.terminate()
    assert seconds < EXIT_SECONDS
    assert heard == ["finish-shutdown", "finish-ended", "flushed"]


@pytest.mark.parametrize("scenario", ["stream", "busy-stream"])
@tried_again
def test_sigterm_while_streaming_ends_the_stream_and_then_shuts_down(scenario: str) -> None:
    with FakeRuntimeApi() as api, function(scenario, api.endpoint) as process:
        api.keep_chunks = scenario == "stream"
        api.add(Event())
        process.wait_for("streaming")
        seconds, heard = process.terminate()
        assert not api.answers()[0].complete
    assert seconds < EXIT_SECONDS
    assert heard == ["finalised", "finish-shutdown", "finish-ended", "flushed"]


@tried_again
def test_sigterm_does_not_interrupt_a_body_that_is_cleaning_up() -> None:
    with FakeRuntimeApi() as api, function("slowly-closed-stream", api.endpoint) as process:
        api.add(Event(treatment=Treatment(close_after_chunks=3)))
        process.wait_for("finalising")
        seconds, heard = process.terminate()
    assert seconds < EXIT_SECONDS
    assert heard == ["finalised", "finish-lost", "finish-ended", "flushed"]


@tried_again
def test_a_finish_that_hangs_is_cut_off_in_time_to_shut_down() -> None:
    with FakeRuntimeApi() as api, function("hanging-finish", api.endpoint) as process:
        api.add(Event())
        process.wait_for("streaming")
        seconds, heard = process.terminate()
    assert seconds < EXIT_SECONDS
    assert heard == ["finalised", "finish-cut-off", "flushed"]


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("handler", ["unwound", "flushed"]),
        ("swallowing-then-returning-handler", ["unwound", "swallowed", "flushed"]),
        (
            "swallowing-then-streaming-handler",
            ["unwound", "swallowed", "finish-shutdown", "finish-ended", "flushed"],
        ),
        ("swallowing-handler", ["swallowed", "handling"]),
        ("async-handler", ["unwound", "flushed"]),
        (
            "swallowing-then-streaming-async-handler",
            ["unwound", "swallowed", "finish-shutdown", "finish-ended", "flushed"],
        ),
        # Cancelled once more when its time is up, and after the shut-down.
        (
            "swallowing-async-handler",
            [*["swallowed", "handling"] * 2, "flushed", "swallowed", "handling"],
        ),
    ],
)
@tried_again
def test_sigterm_in_the_handler_interrupts_it(scenario: str, said: list[str]) -> None:
    with FakeRuntimeApi() as api, function(scenario, api.endpoint) as process:
        api.add(Event())
        process.wait_for("handling")
        seconds, heard = process.terminate()
        assert not api.answers()
    assert seconds < EXIT_SECONDS
    assert heard == said


@tried_again
def test_sigterm_after_the_response_lets_it_settle() -> None:
    with FakeRuntimeApi() as api, function("settling", api.endpoint) as process:
        api.add(Event())
        process.wait_for("settling")
        seconds, heard = process.terminate()
        assert len(api.polls()) == 1
    assert seconds < EXIT_SECONDS
    assert heard == ["settled", "flushed"]


@pytest.mark.parametrize(
    ("scenario", "word", "said"),
    [
        ("stream", "streaming", ["finalised", "finish-shutdown", "finish-ended"]),
        ("async-handler", "handling", ["unwound"]),
        ("handler", "handling", []),  # nothing can interrupt a thread
        ("settling", "settling", ["settled"]),
    ],
)
@tried_again
def test_sigterm_ends_all_invocations_side_by_side(
    scenario: str, word: str, said: list[str]
) -> None:
    slots = 8
    with (
        FakeRuntimeApi(slots=slots) as api,
        function(scenario, api.endpoint, SLOTS=str(slots + 1)) as process,
    ):
        api.add(*[Event()] * slots)
        for _ in range(slots):
            process.wait_for(word)
        seconds, heard = process.terminate()
    assert seconds < EXIT_SECONDS
    assert Counter(heard) == Counter([*said * slots, "flushed"])
    assert heard[-1] == "flushed"


def test_an_unreachable_runtime_api_ends_the_process() -> None:
    with FakeRuntimeApi() as api:
        endpoint = api.endpoint
    with function("idle", endpoint) as process:
        assert process.popen.wait(10) == 1
        assert process.rest() == []
        assert process.popen.stderr is not None
        last_line = process.popen.stderr.read().splitlines()[-1]
    assert last_line.startswith("giving up after 5 tries")


def test_an_unexpected_failure_is_logged_and_ends_the_process_without_leaving_run() -> None:
    with FakeRuntimeApi() as api, function("exiting", api.endpoint) as process:
        api.add(Event())
        assert process.popen.wait(10) == 1
        assert process.rest() == []
        assert process.popen.stderr is not None
        logged = process.popen.stderr.read()
    assert "the runtime loop failed" in logged
    assert "no invocation, please" in logged


@pytest.mark.parametrize(
    ("variable", "value", "raised"),
    [
        ("AWS_LAMBDA_MAX_CONCURRENCY", "10", "ValueError"),
        ("AWS_LAMBDA_RUNTIME_API", "https://example.org", "ValueError"),
        ("AWS_LAMBDA_RUNTIME_API", "", "ValueError"),
    ],
)
def test_what_cannot_be_served_raises_before_the_first_poll(
    variable: str, value: str, raised: str
) -> None:
    with FakeRuntimeApi() as api:
        with function("idle", api.endpoint, **{variable: value}) as process:
            assert process.popen.wait(10) == 7
            said = " ".join(process.rest())
        assert not api.exchanges
    assert f"raised-{raised}: {variable}" in said


def test_what_a_start_raises_leaves_run_before_the_first_poll() -> None:
    with FakeRuntimeApi() as api:
        with function("bad-start", api.endpoint) as process:
            assert process.popen.wait(10) == 7
            assert process.rest()[:2] == ["raised-OSError:", "no"]
        assert not api.exchanges


@tried_again
def test_sigterm_during_the_start_shuts_down() -> None:
    with FakeRuntimeApi() as api, function("slow-start", api.endpoint) as process:
        process.wait_for("starting")
        seconds, heard = process.terminate()
        assert not api.exchanges
    assert seconds < EXIT_SECONDS
    assert heard == ["flushed"]


def test_a_refused_snapshot_raises() -> None:
    with FakeRuntimeApi() as api:
        api.restore_status = 500
        snap_start = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
        with function("idle", api.endpoint, **snap_start) as process:
            assert process.popen.wait(10) == 7
            assert "raised-RefusedError:" in process.rest()
            assert process.popen.stderr is not None
            assert process.popen.stderr.read() == ""
