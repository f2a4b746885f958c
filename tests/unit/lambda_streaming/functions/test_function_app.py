"""A function as an app: what becomes of what it returns, raises, and never does."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from lambda_streaming.failure_answers import DeadlineReached
from lambda_streaming.functions.app import Function, FunctionApp, StreamLimits
from lambda_streaming.functions.event_stream import EventStream
from lambda_streaming.requests import Request
from lambda_streaming.responses import (
    Response,
    StreamingResponse,
    StreamOutcome,
    Write,
    changed,
)
from lambda_streaming.runtime.errors import ConnectionLostError
from lambda_streaming.runtime.response_stream import close_body
from tests.fakes.virtual_time import run_in_real_time, run_virtually

T = TypeVar("T")


class Client:
    """Takes every block."""

    stopped_by = None

    def __init__(self) -> None:
        self.blocks: list[bytes | str] = []

    async def __call__(self, block: bytes | str) -> None:
        await asyncio.sleep(0)
        self.blocks.append(block)

    async def end(self) -> None: ...


def request(deadline: float | None = None, method: str = "GET") -> Request:
    return Request(method, "/", "/", context=SimpleNamespace(deadline=deadline))


def app(function: Function, **limits: float) -> FunctionApp:
    return FunctionApp(function, StreamLimits(**limits), Random(0))


def timed(work: Callable[[], Awaitable[T]]) -> tuple[T, float]:
    async def run() -> tuple[T, float]:
        return await work(), asyncio.get_running_loop().time()

    return run_virtually(run())


async def never(request: Request) -> str:
    await asyncio.sleep(1000)
    return "late"


def returning(body: Any) -> Function:
    async def function(request: Request) -> StreamingResponse:
        return StreamingResponse(body)

    return function


# The deadline


@pytest.mark.parametrize(("deadline", "answered_at"), [(10.0, 8.0), (0.5, 0.25)])
def test_a_function_that_does_not_return_is_answered_for_before_the_deadline(
    deadline: float, answered_at: float, caplog: pytest.LogCaptureFixture
) -> None:
    """A short timeout is not all margin."""
    answer, at = timed(lambda: app(never).stream(request(deadline)))

    assert (answer.status, at) == (504, answered_at)
    assert "the function did not return before" in caplog.text


def test_a_function_on_a_thread_is_not_waited_for_either() -> None:
    go_on = threading.Event()

    async def run() -> int:
        deadline = asyncio.get_running_loop().time() + 0.2
        answer = await app(lambda request: go_on.wait(20)).stream(request(deadline))
        go_on.set()
        return answer.status

    assert run_in_real_time(run()) == 504


def test_functions_that_never_return_keep_no_later_one_waiting() -> None:
    go_on = threading.Event()
    is_blocked = True

    def function(request: Request) -> int:
        return go_on.wait(20) if is_blocked else 7

    async def run() -> int:
        nonlocal is_blocked
        functions = app(function)
        for _ in range(40):
            deadline = asyncio.get_running_loop().time() + 0.01
            await functions.stream(request(deadline))
        is_blocked = False
        deadline = asyncio.get_running_loop().time() + 20
        answer = await functions.stream(request(deadline))
        go_on.set()
        return answer.status

    assert run_in_real_time(run()) == 200


def test_what_a_function_makes_of_its_cancellation_changes_nothing() -> None:
    async def stubborn(request: Request) -> str:
        try:
            return await never(request)
        except asyncio.CancelledError:
            raise LookupError from None

    answer, _ = timed(lambda: app(stubborn).stream(request(10.0)))

    assert answer.status == 504


async def delivered(answer: Any, client: Client) -> float:
    """When the body ended."""
    assert isinstance(answer, StreamingResponse)
    body: Any = answer.body
    try:
        await body(client)
    finally:
        ended_at = asyncio.get_running_loop().time()
        await close_body(body)
    return ended_at


@pytest.mark.parametrize("kind", ["iterable", "function"])
def test_a_stream_is_cut_off_before_the_deadline(kind: str) -> None:
    closed: list[str] = []

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
                await asyncio.sleep(3)
        finally:
            closed.append("body")

    async def pushed(write: Write) -> None:
        async for block in endless():
            await write(block)

    body: Any = endless() if kind == "iterable" else pushed
    client = Client()

    async def run() -> None:
        answer = await app(returning(body)).stream(request(10.0))
        with pytest.raises(DeadlineReached):
            await delivered(answer, client)
        assert asyncio.get_running_loop().time() == 8.0

    run_virtually(run())
    assert client.blocks == ["x", "x", "x"]
    assert closed == ["body"]


def test_a_body_that_swallows_its_cancellation_writes_no_more() -> None:
    failures: list[type[BaseException]] = []
    client = Client()

    async def stubborn(write: Write) -> None:
        while not failures:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                pass
            try:
                await write("more")
            except ConnectionLostError as error:
                failures.append(type(error))

    async def run() -> None:
        answer = await app(returning(stubborn)).stream(request(10.0))
        with pytest.raises(DeadlineReached):
            await delivered(answer, client)

    run_virtually(run())
    assert (client.blocks, failures) == ([], [ConnectionLostError])


def test_a_body_that_goes_on_after_its_cancellation_is_waited_for_after_the_answer() -> None:
    over: list[float] = []

    async def stubborn(write: Write) -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                over.append(asyncio.get_running_loop().time())

    async def run() -> None:
        answer = await app(returning(stubborn)).stream(request(10.0))
        body: Any = answer.body
        with pytest.raises(DeadlineReached):
            await body(Client())
        assert asyncio.get_running_loop().time() == 8.5
        await close_body(body)

    run_virtually(run())
    assert over == [8.0, 8.5, 9.5]


def test_what_a_body_raises_is_raised_and_what_it_sets_stays_set() -> None:
    variable = contextvars.ContextVar("variable", default="")

    async def failing(write: Write) -> None:
        variable.set("by the body")
        raise SystemExit("out")

    async def run() -> None:
        answer = await app(returning(failing)).stream(request(10.0))
        with pytest.raises(SystemExit, match="out"):
            await delivered(answer, Client())
        assert variable.get() == "by the body"

    run_virtually(run())


def test_a_stream_that_is_cancelled_cancels_its_body() -> None:
    ended: list[str] = []

    async def body(write: Write) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("body")

    async def run() -> None:
        answer = await app(returning(body)).stream(request(100.0))
        delivering = asyncio.create_task(delivered(answer, Client()))
        await asyncio.sleep(1)
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivering

    run_virtually(run())
    assert ended == ["body"]


def test_a_stream_without_a_deadline_has_its_body_as_it_is() -> None:
    body = iter("ab")
    answer, _ = timed(lambda: app(returning(body)).stream(request()))

    assert isinstance(answer, StreamingResponse)
    assert answer.body is body


@pytest.mark.parametrize(("deadline", "answered_at"), [(10.0, 9.0), (0.5, 0.375)])
def test_a_whole_answer_that_is_not_complete_in_time_is_a_504(
    deadline: float, answered_at: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)

    async def endless() -> AsyncIterator[str]:
        while True:
            yield "x"
            await asyncio.sleep(3)

    async def run() -> Response:
        function = app(returning(endless()))
        return await function.buffer(request(deadline), limit_bytes=100)

    answer, at = timed(run)

    assert (answer.status, at) == (504, answered_at)
    assert "the body did not end before the function's deadline" in caplog.text


# What cannot be sent


LONG = "x" * 20_000


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Response("x", headers={"x-count": 7}), "header x-count must be a str"),  # type: ignore[arg-type]
        (Response("x", 999), "status must be a final HTTP status"),
        (Response("x", headers={"x-long": LONG}), "the longest is x-long with 20000"),
        (Response("x", cookies=[LONG]), "the longest is Set-Cookie with 20000"),
        (Response(None), "the body of a Response is bytes or a str, not NoneType"),  # type: ignore[arg-type]
        (Response("\ud800"), "surrogates not allowed"),
        (StreamingResponse(None), "an iterable or a function of `write`, not NoneType"),  # type: ignore[arg-type]
        (StreamingResponse(["x"], "200"), "status must be an int"),  # type: ignore[arg-type]
        (StreamingResponse(["x"], opening="x"), "the opening of a StreamingResponse is bytes"),  # type: ignore[arg-type]
    ],
)
@pytest.mark.parametrize("is_streamed", [True, False])
def test_an_answer_that_cannot_be_sent_is_a_500_and_the_log_says_why(
    answer: Any, told: str, is_streamed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The invocation would fail, and its client get a 502."""
    outcomes: list[StreamOutcome] = []

    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        outcomes.append(outcome)

    async def function(request: Request) -> Any:
        return changed(answer, finish=finish)

    async def answered() -> Any:
        if is_streamed:
            return await app(function).stream(request())
        return await app(function).buffer(request(), limit_bytes=100)

    instead, _ = timed(answered)

    assert (instead.status, instead.body) == (500, "Internal Server Error")
    assert told in caplog.text
    assert LONG not in caplog.text
    assert outcomes == [StreamOutcome.FAILED]


def test_headers_and_cookies_that_can_be_read_once_are_sent() -> None:
    async def function(request: Request) -> Response:
        return Response("x", headers=iter([("a", "1")]), cookies=iter(["c=d"]))  # type: ignore[arg-type]

    answer, _ = timed(lambda: app(function).stream(request()))

    assert (answer.headers, answer.cookies) == ((("a", "1"),), ("c=d",))


def test_a_body_of_octets_that_may_change_is_copied() -> None:
    body: Any = bytearray(b"x")

    async def function(request: Request) -> Response:
        return Response(body)

    answer, _ = timed(lambda: app(function).stream(request()))

    assert isinstance(answer, Response)
    assert type(answer.body) is bytes


class Closable:
    def __init__(self) -> None:
        self.closed = 0

    def __aiter__(self) -> AsyncIterator[str]:
        raise AssertionError("nobody gets a body")

    async def aclose(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("kind", [StreamingResponse, EventStream])
def test_a_head_request_is_answered_with_the_head_alone(kind: Callable[[Any], Any]) -> None:
    body = Closable()

    async def function(request: Request) -> Any:
        return kind(body)

    answer, _ = timed(lambda: app(function).stream(request(method="HEAD")))

    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (200, b"")
    assert body.closed == 1
