"""One execution environment for many invocations, behind the real awslambdaric, traced."""

from __future__ import annotations

import json
import statistics
import sys
from itertools import cycle, islice
from typing import Any

import pytest

from tests.counts import count
from tests.fakes.functions.busy_app import BACKGROUND_SECONDS
from tests.fakes.runtime_api import Event, Treatment
from tests.fakes.traced_app import TracedApp, running, url_event

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

WAYS: list[tuple[str, Treatment]] = [
    ("/later", Treatment()),
    ("/words", Treatment()),
    ("/broken", Treatment()),
    ("/words", Treatment(close_after_chunks=4)),
    ("/breaks", Treatment()),
    ("/nowhere", Treatment()),
]


def held(function: TracedApp) -> dict[str, Any]:
    """What the process holds, between two invocations."""
    found: dict[str, Any] = json.loads(function.ask(url_event("/held")).payload)
    return found


def run(function: TracedApp, number: int) -> list[float]:
    """That many invocations, ending in turn in every way; for those with work after the answer, how
    long its end came after its body."""
    waits: list[float] = []
    for path, treatment in islice(cycle(WAYS), number):
        answer = function.ask(url_event(path), treatment=treatment)
        if path == "/later":
            assert answer.ended_at is not None
            assert function.api.polls()[-1].at - answer.ended_at > BACKGROUND_SECONDS * 0.8
            waits.append(answer.ended_at - answer.chunks[-1][0])
    return waits


@pytest.mark.timeout(180)
def test_an_environment_holds_after_many_invocations_what_it_held_before(
    measured: dict[str, str],
) -> None:
    """Whatever way they end: with work after the answer, cut off, failed before and in the body."""
    invocations = max(count(200), 5 * len(WAYS))
    with running("busy_app") as function:
        for _ in range(2):  # what is kept for ever is there by then
            run(function, 3 * len(WAYS))
            before = held(function)
        waits = run(function, invocations)
        after = held(function)
        said = function.running.function.end()

    for what in ("threads", "files", "tasks"):
        assert after[what] == before[what], what
    assert after["objects"] - before["objects"] < 20
    assert after["rss_bytes"] - before["rss_bytes"] < 2_000_000
    assert (after["started"], after["ended"]) == (1, 0)
    assert after["background"] - before["background"] == len(waits)
    assert after["cut"] > before["cut"]
    assert "left behind" not in said
    assert statistics.median(waits) < 0.005, "the client waits for the work after its answer"
    measured["memory after invocations"] = (
        f"{(after['rss_bytes'] - before['rss_bytes']) / 1000:+.0f} kB and "
        f"{after['objects'] - before['objects']:+d} objects after {invocations}; the end of an "
        f"answer {statistics.median(waits) * 1000:.2f} ms after its body (median)"
    )


@pytest.mark.ci
@pytest.mark.timeout(120)
def test_a_million_chunks_take_no_memory(measured: dict[str, str]) -> None:
    with running("busy_app") as function:
        api = function.api
        api.keep_chunks = False
        api.add(Event(url_event("/million")))
        api.wait_until(lambda: len(api.polls()) == 2, 90)
        said = function.running.function.end()
    early, late = (int(line.split()[1]) for line in said.splitlines() if line.startswith("rss "))

    assert late - early < 1_000_000
    measured["memory after a million chunks"] = f"{(late - early) / 1000:+.0f} kB"
