"""ASGI apps through the real runtime loop: what front door and client get."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from lambda_streaming.bridge.adapter import AsgiAdapter
from lambda_streaming.bridge.types import AsgiApp, Receive, Scope, Send
from tests.fakes.asgi import block, get, handler_of, hello, start
from tests.fakes.runtime_api import Event, Exchange, FakeRuntimeApi
from tests.fakes.runtime_serving import serving, until, until_idle


async def answered(app: AsgiApp, event: Event | None = None, **options: bool) -> Exchange:
    """The exchange that answers one request of the app."""
    with FakeRuntimeApi() as api:
        api.add(event or get())
        async with serving(api, handler_of(AsgiAdapter(app), **options)):
            await until_idle(api, 2)
        (answer,) = api.answers()
        return answer


async def test_an_answer_of_one_message_is_complete_at_once() -> None:
    answer = await answered(hello)

    assert answer.prelude == {
        "statusCode": 200,
        "headers": {"content-type": "text/plain"},
        "cookies": [],
    }
    assert answer.payload == b"hello"
    assert answer.complete
    assert not answer.trailers


async def test_each_message_of_the_body_is_a_chunk_that_is_sent_when_send_returns() -> None:
    def has_come(body: bytes) -> bool:
        return any(one.body.endswith(body) for one in api.answers())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        for body in (b"one", b"two"):
            await send(block(body, more_body=True))
            await until(api, partial(has_come, body))
        await send(block())

    with FakeRuntimeApi() as api:
        api.add(get())
        async with serving(api, handler_of(AsgiAdapter(app))):
            await until_idle(api, 2)
        (answer,) = api.answers()
        assert [data for _, data in answer.chunks[2:]] == [b"one", b"two"]
        assert answer.complete


async def test_the_head_goes_out_while_the_app_waits_for_its_first_token() -> None:
    token = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200))
        await token.wait()
        await send(block(b"token", more_body=True))
        await send(block())

    with FakeRuntimeApi() as api:
        api.add(get())
        async with serving(api, handler_of(AsgiAdapter(app))):
            await until(api, lambda: bool(api.answers() and api.answers()[0].chunks))
            token.set()
            await until_idle(api, 2)
        assert api.answers()[0].payload == b"token"


async def test_background_work_goes_on_with_the_client_already_served() -> None:
    go_on = asyncio.Event()
    done: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await hello(scope, receive, send)
        await go_on.wait()
        done.append("mail sent")

    with FakeRuntimeApi() as api:
        api.add(get())
        async with serving(api, handler_of(AsgiAdapter(app))):
            await until(api, lambda: any(one.status for one in api.answers()))
            assert len(api.polls()) == 1, "the environment would freeze"
            assert not done
            go_on.set()
            await until_idle(api, 2)
    assert done == ["mail sent"]


@pytest.mark.parametrize("streams", [False, True])
async def test_background_tasks_of_starlette_follow_buffered_and_streamed_answers(
    streams: bool,
) -> None:
    go_on = asyncio.Event()
    done: list[str] = []

    async def work() -> None:
        await go_on.wait()
        done.append("mail sent")

    async def tokens() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async def endpoint(request: StarletteRequest) -> StreamingResponse | PlainTextResponse:
        task = BackgroundTask(work)
        if streams:
            return StreamingResponse(tokens(), background=task)
        return PlainTextResponse("one two", background=task)

    app = Starlette(routes=[Route("/", endpoint)])
    with FakeRuntimeApi() as api:
        api.add(get())
        async with serving(api, handler_of(AsgiAdapter(app), buffers=not streams)):
            await until(api, lambda: any(one.status for one in api.answers()))
            assert b"one two" in api.answers()[0].body
            assert not done
            go_on.set()
            await until_idle(api, 2)
    assert done == ["mail sent"]


async def test_an_exception_before_the_body_is_a_500_and_no_lost_invocation(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        raise ValueError("the password is hunter2")

    answer = await answered(app)
    assert answer.prelude["statusCode"] == 500
    assert answer.payload == b"Internal Server Error"
    assert answer.path.endswith("/response")
    assert [one.getMessage() for one in caplog.records] == ["Exception in ASGI application"]


async def test_an_exception_in_the_body_is_told_in_trailers() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(block(b"one", more_body=True))
        raise ValueError("no more")

    answer = await answered(app)
    assert answer.payload == b"one"
    assert answer.error_report["errorType"] == "ValueError"


async def test_a_body_without_an_end_is_told_in_trailers() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(block(b"one", more_body=True))

    answer = await answered(app)
    assert answer.trailers["lambda-runtime-function-error-type"] == "Function.IncompleteResponse"


async def test_a_buffered_answer_is_one_json_object() -> None:
    answer = await answered(hello, buffers=True)

    assert json.loads(answer.body) == {"statusCode": 200, "body": "hello"}


async def test_a_body_larger_than_what_a_front_end_takes_at_once_is_streamed() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(block(b"x" * 3_000_000))

    answer = await answered(app)
    assert len(answer.payload) == 3_000_000
    assert answer.complete
