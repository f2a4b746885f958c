"""SIGTERM while an ASGI app is served, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.asgi import get
from tests.fakes.runtime_api import FakeRuntimeApi

ROOT = Path(__file__).parents[2]


def said_after_sigterm(app: str, at: str, *, answers: bool = False) -> list[str]:
    """All that the process said, SIGTERM coming when it said `at`."""
    with (
        FakeRuntimeApi() as api,
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.fakes.asgi_process", app],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
                "AWS_LAMBDA_RUNTIME_API": api.endpoint,
            },
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            api.add(get())
            assert process.stdout is not None
            said: list[str] = []
            while at not in said:
                line = process.stdout.readline()
                assert line, f"the process ended without saying {at!r}"
                said.append(line.strip())
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            return said + process.stdout.read().split()
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("app", "at", "said"),
    [
        ("listening", "streaming", ["http.disconnect", "OSError"]),
        ("deaf", "streaming", ["cancelled"]),
        ("waiting", "handling", ["cancelled"]),
        ("background", "working", ["cancelled"]),
        ("event_source", "streaming", ["cancelled"]),
        ("hello", "startup", []),
    ],
)
def test_sigterm_ends_the_app_first_and_lifespan_last(app: str, at: str, said: list[str]) -> None:
    words = said_after_sigterm(app, at)

    begin = [] if at == "startup" else [at]
    assert words == ["startup", *begin, *said, "shutdown"]
