"""ASGI apps through the real runtime loop: sockets that break, and many invocations in a row."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakSet

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lambda_streaming.bridge.adapter import AsgiAdapter, Limits
from lambda_streaming.bridge.call import Call
from lambda_streaming.bridge.cycle import Cycle
from lambda_streaming.bridge.lifespan import Lifespan
from lambda_streaming.bridge.observer import EndReason
from lambda_streaming.bridge.types import AsgiApp, Receive, Scope, Send
from lambda_streaming.bridge.wsgi import wsgi_app
from lambda_streaming.runtime.response_stream import ResponseStream
from tests.fakes.asgi import Observed, block, get, handler_of, start
from tests.fakes.runtime_api import FakeRuntimeApi, Treatment
from tests.fakes.runtime_serving import serving, until_idle


async def test_an_app_that_waits_learns_that_the_socket_is_lost() -> None:
    heard: list[str] = []
    observed = Observed()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(start())
        await send(block(b"one", True))
        heard.append((await receive())["type"])
        try:
            await send(block(b"two", True))
        except OSError:
            heard.append("OSError")

    with FakeRuntimeApi() as api:
        api.add(get(treatment=Treatment(close_after_chunks=3)))
        async with serving(api, handler_of(AsgiAdapter(app, observe=lambda _: observed))):
            await until_idle(api, 2)
    assert heard == ["http.disconnect", "OSError"]
    assert observed.told[-1] == ("ended", EndReason.LOST)


async def test_a_send_that_waits_for_a_full_socket_fails_when_it_stalls() -> None:
    heard: list[str] = []
    observed = Observed()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        try:
            while True:
                await send(block(b"x" * 100_000, True))
        except OSError as error:
            heard.append(str(error))

    with FakeRuntimeApi(receive_buffer_bytes=8192) as api:
        api.add(get(treatment=Treatment(stop_reading_after_chunks=3)))
        adapter = AsgiAdapter(app, limits=Limits(stall_seconds=0.2), observe=lambda _: observed)
        async with serving(api, handler_of(adapter)):
            await until_idle(api, 2)
    assert heard == ["the answer is over: stalled"]
    assert observed.told[-1] == ("ended", EndReason.STALLED)


async def test_a_wsgi_app_that_writes_learns_that_the_socket_is_lost() -> None:
    """Its thread would write into the next invocation, then wait for ever."""
    learnt: list[BaseException] = []
    observed = Observed()

    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        try:
            for _count in range(200):
                time.sleep(0.005)
                write(b"one of many")
        except OSError as error:
            learnt.append(error)
            raise
        return []

    with FakeRuntimeApi() as api:
        api.add(get(treatment=Treatment(close_after_chunks=4)))
        adapter = AsgiAdapter(wsgi_app(app, threads=1), observe=lambda _: observed)
        async with serving(api, handler_of(adapter)):
            await until_idle(api, 2)
    assert len(learnt) == 1
    assert observed.told[-1] == ("ended", EndReason.LOST)


async def test_background_work_needs_no_connection() -> None:
    done: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(block(b"one", True))
        await send(block(b"two"))
        await asyncio.sleep(0.05)  # in which the closed connection would be noticed
        done.append("mail sent")

    with FakeRuntimeApi() as api:
        api.add(get(treatment=Treatment(no_reply=True)))
        adapter = AsgiAdapter(app, limits=Limits(stall_seconds=0.2))
        async with serving(api, handler_of(adapter)):
            await until_idle(api, 2)
    assert done == ["mail sent"]


@pytest.fixture
def _no_log() -> Iterator[None]:
    """pytest keeps what is logged, exceptions with their frames included."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Kept:
    """What is still there of invocations that are over, but of those before this was made."""

    def __init__(self) -> None:
        gc.collect()
        self._before = WeakSet(self._all())

    def __call__(self) -> Counter[str]:
        return Counter(type(one).__name__ for one in self._all() if one not in self._before)

    @staticmethod
    def _all() -> list[object]:
        kinds = (Call, Cycle, ResponseStream)
        return [one for one in gc.get_objects() if isinstance(one, kinds)]


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError


async def fails_late(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start())
    await send(block(b"one"))
    raise ValueError


async def streams(scope: Scope, receive: Receive, send: Send) -> None:
    await send(start())
    while True:
        await send(block(b"one", True))
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("app", [fails, fails_late, streams])
@pytest.mark.usefixtures("_no_log")
async def test_an_invocation_leaves_no_circles_of_references(app: AsgiApp) -> None:
    kept = Kept()
    gc.disable()
    try:
        with FakeRuntimeApi() as api:
            api.add(get(treatment=Treatment(close_after_chunks=5)))
            async with serving(api, handler_of(AsgiAdapter(app))):
                await until_idle(api, 2)
                assert kept() == Counter()
    finally:
        gc.enable()


@pytest.mark.usefixtures("_no_log")
async def test_two_hundred_invocations_leave_nothing_behind() -> None:
    """Streams, background work, exceptions, middleware and lost sockets in one environment, which
    starts once."""
    starts: list[str] = []
    done: list[str] = []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, str]]:
        starts.append("startup")
        yield {"pool": "the pool"}
        starts.append("shutdown")

    async def work() -> None:
        await asyncio.sleep(0)
        done.append("mail sent")

    async def small(request: Request) -> Response:
        assert request.state.pool == "the pool"
        return PlainTextResponse("hello", background=BackgroundTask(work))

    async def tokens() -> AsyncIterator[str]:
        for number in range(5):
            yield f"token {number}\n"
            await asyncio.sleep(0)

    async def stream(request: Request) -> Response:
        return StreamingResponse(tokens())

    async def broken(request: Request) -> Response:
        raise ValueError("x" * 100_000)

    async def endless(request: Request) -> Response:
        async def ticks() -> AsyncIterator[str]:
            while True:
                yield "tick"
                await asyncio.sleep(0.001)

        return StreamingResponse(ticks())

    async def through(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    paths = {"/small": small, "/stream": stream, "/broken": broken, "/endless": endless}
    app = Starlette(
        routes=[Route(path, endpoint) for path, endpoint in paths.items()], lifespan=lifespan
    )
    app.add_middleware(BaseHTTPMiddleware, dispatch=through)
    served = Lifespan(app, "on")
    await served.start()
    before = asyncio.all_tasks()
    objects: list[Counter[str]] = []
    kept = Kept()
    with FakeRuntimeApi() as api:
        async with serving(api, handler_of(AsgiAdapter(app, state=served.state))):
            for polls in (101, 100):  # the first of them is asked for before any event
                for path in ["/small", "/stream", "/broken", "/endless"] * 25:
                    lost = Treatment(close_after_chunks=5)
                    api.add(get(path, treatment=lost if path == "/endless" else None))
                await until_idle(api, polls)
                statuses = Counter(
                    one.prelude["statusCode"] for one in api.answers() if len(one.chunks) > 1
                )
                assert statuses == {200: 75, 500: 25}
                api.exchanges.clear()
                # Starlette's middleware makes circles of references, with generators in them that
                # the event loop has to close.
                for _ in range(3):
                    gc.collect()
                    await asyncio.sleep(0.01)
                objects.append(kept())
    assert asyncio.all_tasks() == before
    await served.shut_down()
    assert starts == ["startup", "shutdown"]
    assert len(done) == 50
    assert objects == [Counter(), Counter()]
