"""What users of FastAPI, Starlette and WSGI frameworks rely on, through the real runtime loop."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Annotated, Any

import anyio
from fastapi import FastAPI, Header, HTTPException
from fastapi import Request as FastAPIRequest
from sse_starlette.sse import EventSourceResponse

from lambda_streaming.bridge.adapter import AsgiAdapter, Limits
from lambda_streaming.bridge.lifespan import Lifespan
from lambda_streaming.bridge.scope import http_scope
from lambda_streaming.bridge.types import AsgiApp, Message
from lambda_streaming.bridge.wsgi import wsgi_app
from lambda_streaming.requests import Pairs, Request
from lambda_streaming.responses import Response, Result, StreamOutcome
from lambda_streaming.runtime.invocation import LambdaContext
from tests.fakes.asgi import get, handler_of
from tests.fakes.runtime_api import Event, Exchange, FakeRuntimeApi, Treatment
from tests.fakes.runtime_serving import serving, until, until_idle


async def answers(app: AsgiApp, *events: Event, **limits: float) -> list[Exchange]:
    with FakeRuntimeApi() as api:
        api.add(*events)
        adapter = AsgiAdapter(app, limits=Limits(**limits))
        async with serving(api, handler_of(adapter)):
            await until_idle(api, len(events) + 1)
        return api.answers()


async def answer_to(app: AsgiApp, request: Request) -> Response:
    """The buffered answer to a request that a front door read."""
    answer = await AsgiAdapter(app).buffer(request)
    assert answer.finish is not None
    await answer.finish(StreamOutcome.COMPLETED, None)
    return answer


def shop() -> FastAPI:
    app = FastAPI()

    @app.get("/items")
    def items(x_tag: Annotated[list[str], Header()]) -> list[str]:
        return x_tag

    @app.get("/items/slash/")
    def slash() -> str:
        return "here"

    @app.get("/thread")
    def thread() -> bool:
        return threading.current_thread() is threading.main_thread()

    @app.get("/refused")
    def refused() -> None:
        raise HTTPException(401, "Invalid API key")

    return app


async def test_the_docs_page_of_an_app_under_a_stage_finds_its_schema() -> None:
    request = Request("GET", "/prod/docs", "/prod/docs", root_path="/prod")

    page = await answer_to(shop(), request)

    assert page.status == 200
    assert "/prod/openapi.json" in bytes(page.body).decode()  # type: ignore[arg-type]


async def test_a_redirect_to_the_slash_keeps_host_and_scheme() -> None:
    host = Pairs([("host", "api.example.com"), ("x-forwarded-proto", "https")])
    request = Request("GET", "/items/slash", "/items/slash", headers=host)

    redirect = await answer_to(shop(), request)

    assert redirect.status == 307
    assert ("location", "https://api.example.com/items/slash/") in list(redirect.headers or ())


async def test_repeated_headers_are_a_list() -> None:
    tags = Pairs([("x-tag", "a,b"), ("x-tag", "c")])

    answer = await answer_to(shop(), Request("GET", "/items", "/items", headers=tags))

    assert json.loads(answer.body) == ["a,b", "c"]


async def test_synchronous_endpoints_run_in_threads_and_refusals_have_their_status() -> None:
    in_thread, refused = await answers(shop(), get("/thread"), get("/refused"))

    assert in_thread.payload == b"false"
    assert refused.prelude["statusCode"] == 401
    assert refused.payload == b'{"detail":"Invalid API key"}'


async def test_what_can_start_only_once_serves_every_invocation() -> None:
    """Like the session manager of an MCP server, whose task group stays open."""
    only_once = iter(["started"])
    set_in_startup: ContextVar[str] = ContextVar("set_in_startup", default="unset")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        next(only_once)
        set_in_startup.set("set")
        async with anyio.create_task_group() as sessions:
            yield {"sessions": sessions}

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def use(request: FastAPIRequest) -> str:
        done = anyio.Event()
        request.state.sessions.start_soon(_set, done)
        await done.wait()
        return set_in_startup.get()

    served = Lifespan(app, "on")
    await served.start()
    with FakeRuntimeApi() as api:
        api.add(*(get() for _ in range(5)))
        async with serving(api, handler_of(AsgiAdapter(app, state=served.state))):
            await until_idle(api, 6)
        assert [one.payload for one in api.answers()] == [b'"unset"'] * 5, "as under uvicorn"
    await served.shut_down()


async def test_a_head_request_to_sse_starlettes_stream_never_starts_it() -> None:
    """https://github.com/sysid/sse-starlette/issues/218"""
    started = False

    async def events() -> AsyncIterator[str]:
        nonlocal started
        started = True
        await asyncio.sleep(60)
        yield "never"

    (answer,) = await answers(EventSourceResponse(events()), get(method="HEAD"))

    assert answer.prelude["statusCode"] == 200
    assert answer.prelude["headers"]["content-type"].startswith("text/event-stream")
    assert answer.complete
    assert not started


async def _set(done: anyio.Event) -> None:
    done.set()


async def test_many_invocations_at_once_do_not_mix() -> None:
    app = FastAPI()
    here: list[int] = []
    all_here = asyncio.Event()

    @app.get("/{number}")
    async def echo(number: int) -> int:
        here.append(number)
        if len(here) == 8:
            all_here.set()
        await all_here.wait()
        return number

    numbers: dict[str, bytes] = {}
    with FakeRuntimeApi(slots=8) as api:
        api.add(*(get(f"/{number}") for number in range(8)))
        handler = handler_of(AsgiAdapter(app))

        async def noting(event: bytes, context: LambdaContext) -> Result:
            numbers[context.aws_request_id] = json.loads(event)["rawPath"][1:].encode()
            return await handler(event, context)

        async with serving(api, noting, slots=8):
            await until(api, lambda: len([one for one in api.answers() if one.status]) == 8)
        for one in api.answers():
            assert one.payload == numbers[one.path.split("/")[-2]]


# WSGI


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterator[bytes] | Iterable[bytes]:
    if environ["PATH_INFO"] == "/broken":
        raise ValueError
    start_response("200 OK", [("Content-Type", "text/csv"), ("Set-Cookie", "a=1")])
    return rows()


closed = threading.Event()


def rows() -> Iterator[bytes]:
    closed.clear()
    try:
        while True:
            yield b"row\n"
            time.sleep(0.001)
    finally:
        closed.set()


async def test_a_wsgi_app_streams_and_is_closed_at_the_end_of_its_stream() -> None:
    (answer,) = await answers(wsgi_app(application), get("/rows"), max_stream_seconds=0.2)

    assert answer.prelude["headers"] == {"content-type": "text/csv"}
    assert answer.prelude["cookies"] == ["a=1"]
    assert len(answer.chunks) > 10
    assert answer.complete
    assert closed.wait(5)


async def test_a_wsgi_app_whose_client_is_lost_keeps_no_thread() -> None:
    app = wsgi_app(application, threads=1)

    lost = get("/rows", treatment=Treatment(close_after_chunks=5))
    first, second = await answers(app, lost, get("/broken"))

    assert not first.complete
    assert second.prelude["statusCode"] == 500, "the only thread is free"


async def test_a_wsgi_app_that_was_cancelled_ends_at_its_next_block() -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            yield b"one"
            begun.set()
            go_on.wait(5)
            while True:
                yield b"more"
        finally:
            ended.set()

    async def ignore(message: Message) -> None: ...

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = http_scope(Request("GET", "/", "/"), state={}, deadline=None)
    serving_it = asyncio.ensure_future(wsgi_app(slow)(scope, receive, ignore))
    await asyncio.to_thread(begun.wait, 5)
    serving_it.cancel()
    await asyncio.wait([serving_it])
    go_on.set()

    assert await asyncio.to_thread(ended.wait, 5)


async def test_a_wsgi_apps_body_and_query_arrive() -> None:
    def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("201 Created", [("content-type", "text/plain")])
        return [environ["QUERY_STRING"].encode(), b" ", environ["wsgi.input"].read()]

    request = Request("POST", "/", "/", query_string="q=%C3%A9", body=b"\x00binary")

    answer = await answer_to(wsgi_app(echo), request)

    assert (answer.status, answer.body) == (201, b"q=%C3%A9 \x00binary")
