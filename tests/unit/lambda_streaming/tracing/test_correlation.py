"""Which invocation a log line belongs to, also when several run in one process."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from lambda_streaming.tracing.correlation import LogCorrelation
from lambda_streaming.tracing.invocations import Invocations
from tests.fakes.spans import ROOT, SAMPLED

_numbers = itertools.count()
SLOTS = 64


class World:
    """One process's logger, whose lines are kept."""

    def __init__(self) -> None:
        self.invocations = Invocations()
        self._written = io.StringIO()
        self.logger = Logger(service=f"correlation {next(_numbers)}", stream=self._written)
        self.correlation = LogCorrelation(self.logger, self.invocations, [])

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._written.getvalue().splitlines()]


@pytest.fixture
def world() -> World:
    return World()


async def in_its_own_context(run: Any) -> None:
    await asyncio.create_task(run())


@pytest.mark.parametrize(
    ("header", "expected"), [(SAMPLED, ROOT), ("Future=hunter2;Lineage=1:a:0", None), (None, None)]
)
async def test_only_a_root_is_a_trace_id(
    world: World, monkeypatch: pytest.MonkeyPatch, header: str | None, expected: str | None
) -> None:
    """Powertools takes the first pair of the environment variable, whatever anybody put there."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header or "")

    async def invocation() -> None:
        world.invocations.begin("request", header)
        world.logger.warning("something")
        world.invocations.end()

    await in_its_own_context(invocation)

    (line,) = world.lines()
    assert line.get("xray_trace_id") == expected
    assert line["function_request_id"] == "request"


async def test_a_line_outside_an_invocation_names_none(world: World) -> None:
    async def invocation() -> None:
        world.invocations.begin("request", SAMPLED)
        world.correlation.bind_span("a" * 16)
        world.invocations.end()

    await in_its_own_context(invocation)
    world.logger.warning("afterwards")

    (line,) = world.lines()
    assert not {"function_request_id", "xray_trace_id", "span_id"} & set(line)


async def test_a_thread_without_a_context_belongs_to_the_only_invocation(world: World) -> None:
    def log_in_a_thread() -> None:
        thread = threading.Thread(target=world.logger.warning, args=("from a thread",))
        thread.start()
        thread.join()

    async def second() -> None:
        world.invocations.begin("second", SAMPLED)
        log_in_a_thread()
        world.invocations.end()

    async def first() -> None:
        world.invocations.begin("first", SAMPLED)
        await asyncio.create_task(second())
        log_in_a_thread()
        world.invocations.end()

    await in_its_own_context(first)

    while_both_ran, alone = world.lines()
    assert "function_request_id" not in while_both_ran
    assert alone["function_request_id"] == "first"


async def test_lines_of_many_invocations_at_once_never_cross(world: World) -> None:
    """Powertools' own keys, those of `inject_lambda_context` among them, are one set a process."""
    logger = world.logger
    all_running = asyncio.Barrier(SLOTS)

    @logger.inject_lambda_context(clear_state=True)
    def handle(event: object, context: object) -> None:
        logger.info("handling")

    async def invocation(number: int) -> None:
        request_id = f"request-{number}"
        world.invocations.begin(request_id, f"Root=1-{number:08x}-{'a' * 24}")
        world.correlation.bind_span(f"{number:016x}")
        context = SimpleNamespace(
            function_name="f",
            memory_limit_in_mb=128,
            invoked_function_arn="arn",
            aws_request_id=request_id,
        )
        handle({}, context)
        logger.append_keys(order=number, temporary=True)
        await all_running.wait()
        logger.info("streaming")
        logger.remove_keys(["temporary"])
        await asyncio.to_thread(logger.info, "in a thread")
        await all_running.wait()
        logger.info("ending")
        world.invocations.end()

    async with asyncio.TaskGroup() as group:
        for number in range(SLOTS):
            group.create_task(invocation(number))

    lines = world.lines()
    assert len(lines) == 4 * SLOTS
    for line in lines:
        number = int(line["function_request_id"].removeprefix("request-"))
        assert line["xray_trace_id"] == f"1-{number:08x}-{'a' * 24}"
        assert line["span_id"] == f"{number:016x}"
        assert line.get("order", number) == number
        assert ("temporary" in line) is (line["message"] == "streaming")
    logger.info("afterwards")
    assert "order" not in world.lines()[-1]
