"""The runtime loop inside a test's own event loop, against a fake Runtime API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lambda_streaming.responses import StreamingResponse, StreamOutcome
from lambda_streaming.runtime.connection import parse_endpoint
from lambda_streaming.runtime.framing import EMPTY_BODY
from lambda_streaming.runtime.invocation import FunctionEnvironment
from lambda_streaming.runtime.invoker import Handler, LifeCycle
from lambda_streaming.runtime.loop import RuntimeLoop
from lambda_streaming.runtime.termination import Termination
from tests.fakes.runtime_api import FakeRuntimeApi

NOTHING = LifeCycle()


@dataclass
class Finished:
    """Collects what `finish` was told."""

    outcomes: list[StreamOutcome] = field(default_factory=list)
    errors: list[BaseException | None] = field(default_factory=list)

    async def __call__(self, outcome: StreamOutcome, error: BaseException | None) -> None:
        self.outcomes.append(outcome)
        self.errors.append(error)


def streaming(
    body: AsyncGenerator[bytes, None],
    finish: Callable[[StreamOutcome, BaseException | None], Awaitable[None]],
    *,
    stall_seconds: float = 5.0,
    write_deadline: float | None = None,
) -> StreamingResponse:
    headers = {"Content-Type": "text/event-stream"}
    return StreamingResponse(body, 200, headers, (), finish, stall_seconds, write_deadline)


@asynccontextmanager
async def serving(
    api: FakeRuntimeApi,
    handler: Handler,
    *,
    endpoint: str | None = None,
    life_cycle: LifeCycle = NOTHING,
    initialization_type: str = "on-demand",
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    slots: int = 1,
    empty_body: bytes = EMPTY_BODY,
) -> AsyncIterator[asyncio.Task[int]]:
    """Serves while inside; at the end, checks that the loop left no task behind."""
    before = asyncio.all_tasks()
    loop = RuntimeLoop(
        handler,
        endpoint=parse_endpoint(endpoint or api.endpoint),
        environment=FunctionEnvironment(
            api=api.endpoint,
            function_name="f",
            function_version="7",
            memory_limit_in_mb="256",
            log_group_name="/aws/lambda/f",
            log_stream_name="2026/[7]abc",
            initialization_type=initialization_type,
        ),
        life_cycle=life_cycle,
        termination=Termination(asyncio.get_running_loop()),
        sleep=sleep,
        slots=slots,
        empty_body=empty_body,
    )
    task = asyncio.create_task(loop.serve())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait((task,))
        loop.close()
    assert asyncio.all_tasks() == before


async def until(api: FakeRuntimeApi, condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Waits for the fake to have seen something, the event loop running meanwhile."""
    await asyncio.to_thread(api.wait_until, condition, seconds)


async def until_idle(api: FakeRuntimeApi, polls: int) -> None:
    """Waits until the loop has asked for an invocation that many times."""
    await until(api, lambda: len(api.polls()) >= polls)
