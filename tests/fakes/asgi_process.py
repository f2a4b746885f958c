"""A function process that serves an ASGI app: `python -m tests.fakes.asgi_process APP`.

It says on stdout what happens in it, one word a line.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator

from lambda_streaming.bridge.adapter import AsgiAdapter
from lambda_streaming.bridge.lifespan import Lifespan
from lambda_streaming.bridge.types import AsgiApp, Receive, Scope, Send
from lambda_streaming.runtime.invocation import FunctionEnvironment
from lambda_streaming.runtime.invoker import LifeCycle
from lambda_streaming.runtime.loop import run
from tests.fakes.asgi import block, handler_of, hello, start


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


async def listening(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send(start())
    await send(block(b"one", True))
    say("streaming")
    say((await receive())["type"])
    try:
        await send(block(b"two", True))
    except OSError:
        say("OSError")


async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start())
    await send(block(b"one", True))
    say("streaming")
    try:
        await asyncio.sleep(60)
    finally:
        say("cancelled")


async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
    say("handling")
    try:
        await asyncio.sleep(60)
    finally:
        say("cancelled")


async def background(scope: Scope, receive: Receive, send: Send) -> None:
    await hello(scope, receive, send)
    say("working")
    try:
        await asyncio.sleep(60)
    finally:
        say("cancelled")


async def event_source(scope: Scope, receive: Receive, send: Send) -> None:
    """sse-starlette's response, whose own watcher knows only uvicorn's shutdown."""
    from sse_starlette.sse import EventSourceResponse

    async def events() -> AsyncIterator[str]:
        try:
            yield "one"
            say("streaming")
            await asyncio.sleep(60)
        finally:
            say("cancelled")

    await EventSourceResponse(events())(scope, receive, send)


APPS: dict[str, AsgiApp] = {
    app.__name__: app for app in (listening, deaf, waiting, background, event_source, hello)
}


def with_lifespan(app: AsgiApp) -> AsgiApp:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await app(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await asyncio.sleep(0)
            say(phase)
            await send({"type": f"lifespan.{phase}.complete"})

    return run


class Life(LifeCycle):
    def __init__(self, lifespan: Lifespan) -> None:
        self._lifespan = lifespan

    async def start(self) -> None:
        await self._lifespan.start()

    async def shut_down(self) -> None:
        await self._lifespan.shut_down()


if __name__ == "__main__":
    served = with_lifespan(APPS[sys.argv[1]])
    lifespan = Lifespan(served)
    run(
        handler_of(AsgiAdapter(served, state=lifespan.state)),
        environment=FunctionEnvironment.from_environ(os.environ),
        life_cycle=Life(lifespan),
    )
