"""Steps: what is current when, how they end, and what happens when nobody waits for them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from lambda_streaming.tracing.step import (
    Step,
    Trace,
    current_step,
    current_trace,
    step,
)
from tests.fakes.aws_requests import aws_request


class Journal(Trace):
    """A trace that keeps how its steps ended."""

    def __init__(self) -> None:
        super().__init__(None)
        self.ended: list[tuple[str, str | None]] = []

    def step_ended(self, step: Step, error: BaseException | None) -> None:
        self.ended.append((step.name, None if error is None else type(error).__name__))


@pytest.fixture
def trace() -> Journal:
    return Journal()


def test_a_step_is_current_inside_its_block_and_only_there(trace: Journal) -> None:
    with trace.step("outer") as outer:
        with trace.step("inner") as inner:
            assert current_step() is inner
        assert current_step() is outer
    assert current_step() is None
    assert trace.ended == [("inner", None), ("outer", None)]


def test_an_exception_that_leaves_the_block_is_the_steps_failure(trace: Journal) -> None:
    with pytest.raises(KeyError), trace.step("fails"):
        raise KeyError("k")
    assert current_step() is None
    assert trace.ended == [("fails", "KeyError")]


def test_attributes_may_be_set_until_the_end(trace: Journal) -> None:
    with trace.step("s", first=1) as one:
        one.set(second="two")
    assert one.attributes == {"first": 1, "second": "two"}


async def test_each_task_has_its_own_step(trace: Journal) -> None:
    both_inside = asyncio.Barrier(2)

    async def run(name: str) -> bool:
        async with trace.step(name) as mine:
            await both_inside.wait()
            return current_step() is mine

    assert all(await asyncio.gather(run("a"), run("b")))


async def test_work_in_a_thread_has_the_step(trace: Journal) -> None:
    async with trace.step("s") as one:
        seen, thread = await one.in_thread(lambda: (current_step(), threading.get_ident()))
    assert seen is one
    assert thread != threading.get_ident()


async def test_what_the_thread_raises_is_raised_here(trace: Journal) -> None:
    with pytest.raises(ZeroDivisionError):
        async with trace.step("s") as one:
            await one.in_thread(lambda: 1 // 0)
    assert trace.ended == [("s", "ZeroDivisionError")]


async def cancelled_step(
    trace: Journal, work: Callable[[], str], on_late_result: Callable[[str], None]
) -> None:
    """A step whose task is cancelled while its work is in a thread."""
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    def working() -> str:
        loop.call_soon_threadsafe(began.set)
        return work()

    async def run() -> None:
        async with trace.step("s") as one:
            await one.in_thread(working, on_late_result)

    task = asyncio.create_task(run())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancelled_step_ends_when_its_thread_does(trace: Journal) -> None:
    may_end, late = threading.Event(), list[str]()

    def work() -> str:
        assert may_end.wait(10)
        return "granted"

    await cancelled_step(trace, work, late.append)
    assert trace.ended == []
    may_end.set()
    await trace.settle()
    assert late == ["granted"]
    assert trace.ended == [("s", None)]


async def test_a_cancelled_step_may_fail_later(trace: Journal) -> None:
    may_end, late = threading.Event(), list[str]()

    def work() -> str:
        assert may_end.wait(10)
        raise OSError("reset")

    await cancelled_step(trace, work, late.append)
    may_end.set()
    await trace.settle()
    assert late == []
    assert trace.ended == [("s", "OSError")]


async def test_settling_is_bounded(trace: Journal) -> None:
    may_end = threading.Event()

    def work() -> str:
        assert may_end.wait(10)
        return "late"

    await cancelled_step(trace, work, lambda _: None)
    await trace.settle(0.01)
    assert trace.ended == []
    may_end.set()
    await trace.settle()
    assert trace.ended == [("s", None)]


async def test_a_step_held_across_a_yield_raises_nothing(trace: Journal) -> None:
    async def held() -> AsyncGenerator[int, None]:
        with trace.step("held"):
            yield 1

    generator = held()
    await asyncio.create_task(anext(generator))
    await asyncio.create_task(generator.aclose())

    assert trace.ended == [("held", "GeneratorExit")]


async def test_the_streaming_phase_is_entered_by_a_context_and_its_tasks(trace: Journal) -> None:
    async def stream() -> list[Trace | None]:
        trace.enter_streaming_phase()
        seen = [current_trace(), await asyncio.to_thread(current_trace)]
        return [*seen, await asyncio.create_task(asyncio.sleep(0, current_trace()))]

    assert await asyncio.create_task(stream()) == [trace, trace, trace]
    assert current_trace() is None


async def test_a_step_without_a_trace_argument_belongs_to_the_trace_around_it(
    trace: Journal,
) -> None:
    async def stream() -> None:
        trace.enter_streaming_phase()
        with step("model_call", model="m") as one:
            assert current_step() is one

    await asyncio.create_task(stream())
    assert trace.ended == [("model_call", None)]


async def test_in_the_handler_phase_a_step_leaves_requests_to_xray() -> None:
    async with step("early") as one:
        assert current_step() is None
        assert await one.in_thread(current_step) is None


def test_an_untraced_step_is_current_all_the_same() -> None:
    """The kill switch silences OpenTelemetry; it must not hand the stream over to X-Ray."""
    with Trace(None).step("dynamodb_poll") as one:
        assert current_step() is one


def test_requests_from_many_threads_are_all_there(trace: Journal) -> None:
    barrier = threading.Barrier(8)
    with trace.step("poll") as one:

        def report() -> None:
            barrier.wait(timeout=10)
            for _ in range(100):
                one.add_request(aws_request(0, 2_000_000))

        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(report) for _ in range(8)]:
                done.result()

    assert one.span_count == 801


def test_measuring_needs_nothing_of_opentelemetry() -> None:
    """An unsampled stream must not pay for that import."""
    program = (
        "import sys; import lambdas.sse_streaming.app, lambdas.sse_streaming.streams.stream;"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )

    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert run.stdout.strip() == "[]"
