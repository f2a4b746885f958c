"""What a handler and the body of its answer become in a trace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from opentelemetry.trace import StatusCode

from lambda_streaming.responses import Response, Result, StreamingResponse, StreamOutcome
from lambda_streaming.runtime.invocation import LambdaContext
from lambda_streaming.runtime.invoker import Handler, is_async
from lambda_streaming.serving.recording.phases import Phases
from lambda_streaming.serving.recording.tracers import Tracers
from lambda_streaming.tracing.handler_phase import HandlerPhase
from lambda_streaming.tracing.invocations import Invocations
from lambda_streaming.tracing.settings import TracingSettings
from lambda_streaming.tracing.step import current_trace
from tests.fakes.spans import SAMPLED, TracingWorld

CONTEXT = cast("LambdaContext", SimpleNamespace(trace_header=SAMPLED))


class Recorder:
    """The part of the X-Ray SDK's recorder that the handler phase uses."""

    def __init__(self) -> None:
        self.open = 0

    @contextmanager
    def in_subsegment(self, name: str) -> Iterator[Any]:
        assert name == "## handler"
        self.open += 1
        yield SimpleNamespace(id="abc", sampled=True, put_annotation=lambda *_: None)
        self.open -= 1

    def current_subsegment(self) -> Any: ...


class World:
    def __init__(self) -> None:
        self.tracing = TracingWorld()
        self.recorder = Recorder()
        self.bound: list[str | None] = []
        invocations = Invocations()
        self.phases = Phases(
            Tracers(
                TracingSettings("orders"),
                invocations,
                HandlerPhase(self.recorder, "orders", invocations, {}),
                self.tracing.tracing,
                self.tracing.clock,
                self.recorder,
                self.bound.append,
            )
        )

    async def answer(self, handler: Handler) -> Result:
        result = self.phases.traced(handler)(b"{}", CONTEXT)
        return await result if asyncio.iscoroutine(result) else cast("Result", result)


@pytest.fixture
def world() -> World:
    return World()


async def body() -> AsyncGenerator[bytes, None]:
    yield b"x"


@pytest.mark.parametrize("is_asynchronous", [False, True])
async def test_the_handler_runs_in_its_subsegment_and_outside_of_the_streaming_phase(
    world: World, is_asynchronous: bool
) -> None:
    def handle(event: bytes, context: LambdaContext) -> Result:
        assert world.recorder.open == 1
        assert current_trace() is None
        return StreamingResponse(body())

    async def handle_async(event: bytes, context: LambdaContext) -> Result:
        await asyncio.sleep(0)
        return handle(event, context)

    handler: Handler = handle_async if is_asynchronous else handle
    assert is_async(world.phases.traced(handler)) is is_asynchronous
    await world.answer(handler)

    trace = current_trace()
    assert trace is not None
    assert world.recorder.open == 0
    assert world.bound == ["abc", trace.span_id]


async def test_an_answer_without_a_stream_has_no_streaming_phase(world: World) -> None:
    assert await world.answer(lambda event, context: Response("x")) == Response("x")

    assert current_trace() is None
    assert world.tracing.flushed() == []


@pytest.mark.parametrize(
    ("outcome", "error", "is_fault"),
    [
        (StreamOutcome.COMPLETED, None, False),
        (StreamOutcome.FAILED, ValueError("bad"), True),
        (StreamOutcome.LOST, OSError("gone"), False),
        (StreamOutcome.SHUTDOWN, None, False),
    ],
)
async def test_the_root_says_how_the_stream_ended(
    world: World, outcome: StreamOutcome, error: BaseException | None, is_fault: bool
) -> None:
    answer = await world.answer(lambda event, context: StreamingResponse(body()))
    assert isinstance(answer, StreamingResponse)
    assert answer.finish is not None
    world.tracing.clock.pass_ms(1500)
    await answer.finish(outcome, error)

    (root,) = world.tracing.flushed()
    assert root.name == "response_stream"
    assert root.attributes is not None
    assert root.attributes["end_reason"] == outcome.value
    assert root.attributes["stream_ms"] == 1500
    assert (root.status.status_code is StatusCode.ERROR) is is_fault


async def test_the_apps_own_finish_comes_first_and_may_fail(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        assert world.tracing.flushed() == []
        raise OSError("no metrics")

    answer = await world.answer(lambda event, context: StreamingResponse(body(), finish=finish))
    assert isinstance(answer, StreamingResponse)
    assert answer.finish is not None
    await answer.finish(StreamOutcome.COMPLETED, None)

    assert "finish failed" in caplog.text
    assert len(world.tracing.flushed()) == 1
