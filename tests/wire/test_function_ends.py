"""Functions of a request through the real runtime loop: what ends their answers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import pytest

from lambda_streaming.functions.app import FunctionApp, StreamLimits
from lambda_streaming.requests import Request
from lambda_streaming.responses import Response, StreamingResponse, StreamOutcome, Write
from lambda_streaming.runtime.invocation import LambdaContext
from tests.fakes.runtime_api import Event, FakeRuntimeApi
from tests.fakes.runtime_serving import Finished, serving, until_idle


def ending_in(seconds: float) -> Event:
    deadline_ms = int((time.time() + seconds) * 1000)
    return Event(headers={"Lambda-Runtime-Deadline-Ms": str(deadline_ms)})


async def endless() -> AsyncIterator[str]:
    while True:
        yield "x"
        await asyncio.sleep(0.01)


async def pushed(write: Write) -> None:
    async for block in endless():
        await write(block)


def blocked(go_on: threading.Event) -> Iterator[str]:
    yield "x"
    go_on.wait(30)


@pytest.mark.parametrize("kind", ["iterable", "function", "blocked in a thread"])
async def test_a_stream_ends_with_trailers_before_the_deadline(kind: str) -> None:
    """Lambda would kill the function, and its client could not tell this from an end."""
    go_on = threading.Event()
    finished = Finished()
    bodies: dict[str, Any] = {
        "iterable": endless(),
        "function": pushed,
        "blocked in a thread": blocked(go_on),
    }

    async def function(request: Request) -> StreamingResponse:
        return StreamingResponse(bodies[kind], finish=finished)

    app = FunctionApp(function, StreamLimits(), Random(0))

    async def handle(event: bytes, context: LambdaContext) -> Response | StreamingResponse:
        return await app.stream(Request("GET", "/", "/", context=context))

    with FakeRuntimeApi() as api:
        began = time.monotonic()
        api.add(ending_in(1.0))
        async with serving(api, handle):
            await until_idle(api, 2)
        seconds = time.monotonic() - began
        go_on.set()
        (answer,) = api.answers()
        assert answer.payload.startswith(b"x")
        assert answer.trailers["lambda-runtime-function-error-type"] == "Function.Deadline"
        assert seconds < 5
    assert finished.outcomes == [StreamOutcome.FAILED]
