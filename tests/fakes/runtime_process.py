"""A function process for tests: `python -m tests.fakes.runtime_process SCENARIO`.

It says on stdout what happens in it, one word a line.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator, Sequence

from lambda_streaming.responses import (
    Response,
    Result,
    StreamingResponse,
    StreamOutcome,
)
from lambda_streaming.runtime.invocation import FunctionEnvironment, LambdaContext
from lambda_streaming.runtime.invoker import Handler, Hook
from lambda_streaming.runtime.loop import run


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


async def body() -> AsyncGenerator[bytes, None]:
    say("streaming")
    try:
        yield b": hi\n\n"
        await asyncio.Event().wait()
    finally:
        say("finalised")


async def busy_body() -> AsyncGenerator[bytes, None]:
    say("streaming")
    try:
        while True:
            yield b"x" * 1000
    finally:
        say("finalised")


async def slowly_closed_body() -> AsyncGenerator[bytes, None]:
    try:
        yield b": hi\n\n"
        await asyncio.Event().wait()
    finally:
        say("finalising")
        await asyncio.sleep(0.02)
        say("finalised")


async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
    say(f"finish-{outcome.value}")
    await asyncio.sleep(0.02)
    say("finish-ended")


async def hanging_finish(outcome: StreamOutcome, error: BaseException | None) -> None:
    try:
        await asyncio.sleep(60)
    finally:
        say("finish-cut-off")


def stream(event: bytes, context: LambdaContext) -> Result:
    return StreamingResponse(200, {}, body(), finish, stall_seconds=5)


def busy_stream(event: bytes, context: LambdaContext) -> Result:
    return StreamingResponse(200, {}, busy_body(), finish, stall_seconds=5)


def slowly_closed_stream(event: bytes, context: LambdaContext) -> Result:
    return StreamingResponse(200, {}, slowly_closed_body(), finish, stall_seconds=5)


def stream_with_hanging_finish(event: bytes, context: LambdaContext) -> Result:
    return StreamingResponse(200, {}, body(), hanging_finish, stall_seconds=5)


def hello(event: bytes, context: LambdaContext) -> Result:
    return Response(200, {}, b"hello")


def sleep_long(event: bytes, context: LambdaContext) -> Result:
    try:
        say("handling")
        time.sleep(60)
    finally:
        say("unwound")
    return hello(event, context)


async def wait_long(event: bytes, context: LambdaContext) -> Result:
    try:
        say("handling")
        await asyncio.sleep(60)
    finally:
        say("unwound")
    return hello(event, context)


async def swallow_cancellation(event: bytes, context: LambdaContext) -> Result:
    while True:
        try:
            say("handling")
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            say("swallowed")


async def swallow_cancellation_and_stream(event: bytes, context: LambdaContext) -> Result:
    try:
        return await wait_long(event, context)
    except asyncio.CancelledError:
        say("swallowed")
    return stream(event, context)


def swallow(event: bytes, context: LambdaContext) -> Result:
    while True:
        try:
            say("handling")
            time.sleep(60)
        except BaseException:
            say("swallowed")


def swallow_and_return(event: bytes, context: LambdaContext) -> Result:
    try:
        return sleep_long(event, context)
    except BaseException:
        say("swallowed")
    return hello(event, context)


def swallow_and_stream(event: bytes, context: LambdaContext) -> Result:
    try:
        return sleep_long(event, context)
    except BaseException:
        say("swallowed")
    return stream(event, context)


def with_other_thread(event: bytes, context: LambdaContext) -> Result:
    threading.Thread(target=time.sleep, args=(60,)).start()
    return hello(event, context)


async def flush() -> None:
    await asyncio.sleep(0.02)
    say("flushed")


async def hang() -> None:
    try:
        await asyncio.sleep(60)
    finally:
        say("given-up")


async def block() -> None:
    time.sleep(60)  # noqa: ASYNC251


async def fail() -> None:
    raise ValueError("hook")


async def slow_flush() -> None:
    say("flushing")
    await asyncio.sleep(0.02)
    say("flushed-after-response")


class BrokenEnviron(dict[str, str]):
    def pop(self, *_: object) -> str:
        raise OSError("no environment")


SCENARIOS: dict[str, tuple[Handler, Sequence[Hook]]] = {
    "idle": (hello, (fail, flush, flush)),
    "hanging-hook": (hello, (hang, flush)),
    "blocking-hook": (hello, (block,)),
    "other-thread": (with_other_thread, (flush,)),
    "stream": (stream, (flush,)),
    "busy-stream": (busy_stream, (flush,)),
    "slowly-closed-stream": (slowly_closed_stream, (flush,)),
    "hanging-finish": (stream_with_hanging_finish, (flush,)),
    "handler": (sleep_long, (flush,)),
    "swallowing-handler": (swallow, (flush,)),
    "async-handler": (wait_long, (flush,)),
    "swallowing-async-handler": (swallow_cancellation, (flush,)),
    "swallowing-then-streaming-async-handler": (swallow_cancellation_and_stream, (flush,)),
    "swallowing-then-returning-handler": (swallow_and_return, (flush,)),
    "swallowing-then-streaming-handler": (swallow_and_stream, (flush,)),
    "after-response": (hello, (flush,)),
    "broken-environ": (hello, (flush,)),
}


def main(scenario: str) -> None:
    handler, on_shutdown = SCENARIOS[scenario]
    try:
        run(
            handler,
            environment=FunctionEnvironment.from_environ(os.environ),
            environ=BrokenEnviron() if scenario == "broken-environ" else os.environ,
            normalise_trace_header=lambda header: header,
            after_response=(slow_flush,) if scenario == "after-response" else (),
            on_shutdown=on_shutdown,
        )
    except Exception as error:
        say(f"raised-{type(error).__name__}: {error}")
        raise SystemExit(7) from None
    finally:
        say("left-run")


if __name__ == "__main__":
    main(sys.argv[1])
