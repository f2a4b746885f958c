"""What is done around invocations, with a collector in memory and a clock that the test moves."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any

import pytest

from lambda_streaming.runtime.invocation import Invocation
from lambda_streaming.serving.life_cycle import AppLifeCycle, TracedLifeCycle
from lambda_streaming.serving.request_ids import RequestIds
from lambda_streaming.tracing.export.one_try import Outcome
from lambda_streaming.tracing.header import parse_trace_header
from lambda_streaming.tracing.invocations import Invocations
from tests.fakes.spans import PARENT_ID, ROOT, SAMPLED, TracingWorld, end

VARIABLE = "_X_AMZN_TRACE_ID"


class TellingApp(AppLifeCycle):
    def __init__(self) -> None:
        self.told: list[Any] = []

    async def start(self) -> None:
        self.told.append("start")

    async def restore(self) -> None:
        self.told.append("restore")

    def thaw(self, rested_seconds: float) -> None:
        self.told.append(rested_seconds)

    def exported(self, lost_spans: int, failed_exports: int) -> None:
        self.told.append((lost_spans, failed_exports))

    async def shut_down(self) -> None:
        self.told.append("shut down")


class World:
    def __init__(self) -> None:
        self.tracing = TracingWorld()
        self.invocations = Invocations()
        self.environ: dict[str, str] = {}
        self.app = TellingApp()
        self.life_cycle = TracedLifeCycle(
            self.tracing.tracing,
            self.invocations,
            environ=self.environ,
            clock=self.tracing.clock,
            app=self.app,
        )

    def begin(self, request_id: str = "a", trace_header: str | None = SAMPLED) -> OneInvocation:
        one = OneInvocation(self.life_cycle)
        invocation = Invocation(request_id, request_id, b"{}", trace_header=trace_header)
        one.run(lambda: self.life_cycle.begin(invocation))
        return one

    def make_span(self) -> None:
        end(self.tracing.start(parse_trace_header(SAMPLED)))


class OneInvocation:
    """Its code runs in a context of its own, as the runtime has it."""

    def __init__(self, life_cycle: TracedLifeCycle) -> None:
        self._life_cycle = life_cycle
        self._context = copy_context()

    def run(self, code: Callable[[], object]) -> None:
        self._context.run(code)

    def end_handler(self) -> None:
        self.run(self._life_cycle.handler_ended)

    async def settle(self) -> None:
        await self._task(self._life_cycle.settle())

    def _task(self, work: Any) -> Awaitable[None]:
        return asyncio.get_running_loop().create_task(work, context=self._context)


@pytest.fixture
def world() -> World:
    return World()


# The trace header in the environment


async def test_the_variable_is_there_until_the_answer_exists(world: World) -> None:
    world.environ[VARIABLE] = "from before"
    one = world.begin(trace_header=f"Sampled=1;Parent={PARENT_ID};Root={ROOT}")
    assert world.environ[VARIABLE] == SAMPLED

    one.end_handler()
    assert VARIABLE not in world.environ


@pytest.mark.parametrize("header", [None, "", "garbage"])
async def test_without_a_usable_header_there_is_no_variable(
    world: World, header: str | None
) -> None:
    world.environ[VARIABLE] = "from before"
    world.begin(trace_header=header)

    assert VARIABLE not in world.environ


async def test_the_variable_is_nobodys_while_several_invocations_run(world: World) -> None:
    first = world.begin("a")
    second = world.begin("b")
    assert VARIABLE not in world.environ

    first.end_handler()
    second.end_handler()
    await first.settle()
    world.begin("c")
    assert VARIABLE not in world.environ, "one streams still, and would read it"

    await second.settle()
    assert world.invocations.current() is not None, "the third, which is the only one now"


async def test_a_header_that_no_environment_takes_is_logged_without_it(
    caplog: pytest.LogCaptureFixture, world: World
) -> None:
    class Environ(dict[str, str]):
        def __setitem__(self, name: str, value: str) -> None:
            raise ValueError(value)

    life_cycle = TracedLifeCycle(
        world.tracing.tracing,
        world.invocations,
        environ=Environ(),
        clock=world.tracing.clock,
        app=world.app,
    )
    copy_context().run(
        life_cycle.begin, Invocation("a", "a", b"", trace_header="Root=x;Lineage=secret")
    )

    assert caplog.messages == ["the trace header cannot be used: ValueError"]


# Whose invocation


def test_the_managed_runtimes_log_format_gets_the_request_id_of_the_line(world: World) -> None:
    request_ids = RequestIds(world.invocations)

    def id_of_a_line() -> str:
        record = logging.LogRecord("x", logging.INFO, "", 1, "line", None, None)
        assert request_ids.filter(record)
        return str(vars(record)["aws_request_id"])

    found: list[str] = [id_of_a_line()]
    first = world.begin("a")
    found.append(id_of_a_line())
    second = world.begin("b")
    found.append(id_of_a_line())
    first.run(lambda: found.append(id_of_a_line()))
    second.run(lambda: found.append(id_of_a_line()))

    assert found == ["", "a", "", "a", "b"]


# Thaw


async def test_the_app_is_told_how_long_nothing_ran(world: World) -> None:
    one = world.begin()
    await one.settle()
    world.tracing.clock.pass_ms(7_500)
    world.begin()

    assert world.app.told == [0.0, 7.5]


async def test_nothing_thaws_while_another_invocation_runs(world: World) -> None:
    world.begin("a")
    world.begin("b")

    assert world.app.told == [0.0]


# Export


async def test_spans_leave_after_the_answer(world: World) -> None:
    one = world.begin()
    world.make_span()
    assert world.tracing.exporter.batches == []

    await one.settle()
    assert len(world.tracing.exporter.spans) == 1


async def test_nothing_is_exported_where_nothing_was_recorded(world: World) -> None:
    await world.begin().settle()

    assert world.tracing.exporter.batches == []


async def test_the_app_is_told_of_losses_once(world: World) -> None:
    world.tracing.exporter.outcomes = [Outcome.REJECTED, Outcome.DELIVERED]
    for _ in range(2):
        one = world.begin()
        world.make_span()
        await one.settle()

    assert world.app.told == [0.0, (1, 1), 0.0]


async def test_invocations_that_end_together_share_an_export(world: World) -> None:
    """A hung collector would otherwise keep the last of 64 waiting for 64 timeouts."""
    ended = [world.begin(str(number)) for number in range(64)]
    is_exporting, go_on = threading.Event(), threading.Event()

    def export() -> None:
        is_exporting.set()
        go_on.wait(10)

    world.tracing.exporter.on_export = export
    world.make_span()
    first = asyncio.create_task(ended[0].settle())
    await asyncio.to_thread(is_exporting.wait, 10)
    rest = []
    for one in ended[1:]:
        world.make_span()
        rest.append(asyncio.create_task(one.settle()))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, *rest)

    assert [len(batch) for batch in world.tracing.exporter.batches] == [1, 63]


async def test_an_invocation_that_is_cut_off_while_it_exports_keeps_its_log_lines(
    world: World,
) -> None:
    is_exporting, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        is_exporting.set()
        go_on.wait(10)

    world.tracing.exporter.on_export = hang
    one = world.begin("a")
    world.make_span()
    settling = asyncio.create_task(one.settle())
    await asyncio.to_thread(is_exporting.wait, 10)
    settling.cancel()
    await asyncio.wait((settling,))
    go_on.set()

    running = world.invocations.current()
    assert running is not None
    assert running.request_id == "a"


# The process's life


async def test_the_app_starts_and_restores_with_the_environment(world: World) -> None:
    await world.life_cycle.start()
    await world.life_cycle.restore()

    assert world.app.told == ["start", "restore"]


async def test_a_shut_down_exports_and_tells_the_app_side_by_side(world: World) -> None:
    world.begin()
    world.make_span()
    world.tracing.exporter.on_export = lambda: world.app.told.append("export")

    await world.life_cycle.shut_down()

    assert sorted(map(str, world.app.told)) == ["0.0", "export", "shut down"]


async def test_an_app_that_fails_to_shut_down_does_not_keep_spans_back(world: World) -> None:
    class Failing(AppLifeCycle):
        async def shut_down(self) -> None:
            raise OSError

    life_cycle = TracedLifeCycle(
        world.tracing.tracing,
        world.invocations,
        environ={},
        clock=world.tracing.clock,
        app=Failing(),
    )
    world.make_span()
    await life_cycle.shut_down()

    assert len(world.tracing.exporter.spans) == 1


async def test_a_shut_down_that_is_cut_off_counts_its_spans_as_lost(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    is_exporting, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        is_exporting.set()
        go_on.wait(10)

    world.tracing.exporter.on_export = hang
    world.make_span()
    shutting_down = asyncio.create_task(world.life_cycle.shut_down())
    await asyncio.to_thread(is_exporting.wait, 10)
    world.make_span()
    shutting_down.cancel()
    await asyncio.wait((shutting_down,))
    go_on.set()

    assert "the collector did not take 1 spans before the exit: lost" in caplog.messages
