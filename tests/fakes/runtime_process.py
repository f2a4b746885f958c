"""A function process for tests: `python -m tests.fakes.runtime_process SCENARIO`.

It says on stdout what happens in it, one word a line.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator

from lambda_streaming.responses import (
    Response,
    Result,
    StreamingResponse,
    StreamOutcome,
)
from lambda_streaming.runtime.invocation import FunctionEnvironment, Invocation, LambdaContext
from lambda_streaming.runtime.invoker import Handler, LifeCycle
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
    return StreamingResponse(body(), finish=finish, stall_seconds=5)


def busy_stream(event: bytes, context: LambdaContext) -> Result:
    return StreamingResponse(busy_body(), finish=finish, stall_seconds=5)


def slowly_closed_stream(event: bytes, context: LambdaContext) -> Result:
    return StreamingResponse(slowly_closed_body(), finish=finish, stall_seconds=5)


def stream_with_hanging_finish(event: bytes, context: LambdaContext) -> Result:
    return StreamingResponse(body(), finish=hanging_finish, stall_seconds=5)


def hello(event: bytes, context: LambdaContext) -> Result:
    return Response(b"hello")


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


def with_a_thread_that_takes_sigterm(event: bytes, context: LambdaContext) -> Result:
    """At SIGUSR1, which the test sends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

    def take() -> None:
        signal.sigwait({signal.SIGUSR1})
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        time.sleep(60)

    threading.Thread(target=take).start()
    return hello(event, context)


class Flushing(LifeCycle):
    async def shut_down(self) -> None:
        await asyncio.sleep(0.02)
        say("flushed")


class Hanging(LifeCycle):
    async def shut_down(self) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            say("given-up")


class Blocking(LifeCycle):
    async def shut_down(self) -> None:
        time.sleep(60)  # noqa: ASYNC251


class Failing(LifeCycle):
    async def shut_down(self) -> None:
        raise ValueError("shut down")


class Settling(Flushing):
    async def settle(self) -> None:
        say("settling")
        await asyncio.sleep(0.02)
        say("settled")


class Exiting(LifeCycle):
    def begin(self, invocation: Invocation) -> None:
        raise SystemExit("no invocation, please")


class BadStart(LifeCycle):
    async def start(self) -> None:
        await asyncio.sleep(0)
        raise OSError("no database")


class SlowStart(Flushing):
    async def start(self) -> None:
        say("starting")
        await asyncio.sleep(60)


SCENARIOS: dict[str, tuple[Handler, LifeCycle]] = {
    "idle": (hello, Flushing()),
    "hanging-shut-down": (hello, Hanging()),
    "blocking-shut-down": (hello, Blocking()),
    "other-thread": (with_other_thread, Flushing()),
    "sigterm-in-thread": (with_a_thread_that_takes_sigterm, Flushing()),
    "stream": (stream, Flushing()),
    "busy-stream": (busy_stream, Flushing()),
    "slowly-closed-stream": (slowly_closed_stream, Flushing()),
    "hanging-finish": (stream_with_hanging_finish, Flushing()),
    "handler": (sleep_long, Flushing()),
    "swallowing-handler": (swallow, Flushing()),
    "async-handler": (wait_long, Flushing()),
    "swallowing-async-handler": (swallow_cancellation, Flushing()),
    "swallowing-then-streaming-async-handler": (swallow_cancellation_and_stream, Flushing()),
    "swallowing-then-returning-handler": (swallow_and_return, Flushing()),
    "swallowing-then-streaming-handler": (swallow_and_stream, Flushing()),
    "settling": (hello, Settling()),
    "exiting": (hello, Exiting()),
    "failing-shut-down": (hello, Failing()),
    "bad-start": (hello, BadStart()),
    "slow-start": (hello, SlowStart()),
}


def main(scenario: str) -> None:
    handler, life_cycle = SCENARIOS[scenario]
    try:
        run(
            handler,
            environment=FunctionEnvironment.from_environ(os.environ),
            life_cycle=life_cycle,
            slots=int(os.environ.get("SLOTS", "1")),
        )
    except Exception as error:
        say(f"raised-{type(error).__name__}: {error}")
        raise SystemExit(7) from None
    finally:
        say("left-run")


if __name__ == "__main__":
    main(sys.argv[1])
