"""Several invocations at once in one process, on one event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator
from contextvars import ContextVar

import pytest

from lambda_streaming.responses import Response, Result
from lambda_streaming.runtime.invocation import LambdaContext
from tests.fakes.runtime_api import Event, FakeRuntimeApi, Raw, Treatment
from tests.fakes.runtime_serving import Finished, serving, streaming, until

SLOTS = 64


def hello(event: bytes, context: LambdaContext) -> Result:
    return Response(context.aws_request_id.encode())


def events(number: int = SLOTS) -> list[Event]:
    return [Event(request_id=f"id-{one}") for one in range(number)]


async def answers(api: FakeRuntimeApi, number: int = SLOTS) -> dict[str, bytes]:
    """By request id, once there are so many."""
    await until(api, lambda: sum(one.complete for one in api.answers()) == number, 20)
    return {one.path.split("/")[4]: one.payload for one in api.answers()}


async def test_async_handlers_of_all_slots_run_at_once() -> None:
    everybody = asyncio.Barrier(SLOTS)

    async def handler(event: bytes, context: LambdaContext) -> Result:
        await everybody.wait()
        return hello(event, context)

    with FakeRuntimeApi(slots=SLOTS) as api:
        api.add(*events())
        async with serving(api, handler, slots=SLOTS):
            assert await answers(api) == {f"id-{n}": f"id-{n}".encode() for n in range(SLOTS)}


async def test_synchronous_handlers_of_all_slots_run_at_once_and_none_stops_the_loop() -> None:
    everybody = threading.Barrier(SLOTS)
    loops_thread = threading.current_thread()

    def handler(event: bytes, context: LambdaContext) -> Result:
        assert threading.current_thread() is not loops_thread
        everybody.wait(20)
        return hello(event, context)

    with FakeRuntimeApi(slots=SLOTS) as api:
        api.add(*events())
        async with serving(api, handler, slots=SLOTS):
            assert await answers(api) == {f"id-{n}": f"id-{n}".encode() for n in range(SLOTS)}


async def test_streams_of_all_slots_go_on_side_by_side() -> None:
    everybody = asyncio.Barrier(SLOTS)

    def handler(event: bytes, context: LambdaContext) -> Result:
        async def body() -> AsyncGenerator[bytes, None]:
            for _ in range(3):
                await everybody.wait()
                yield context.aws_request_id.encode() + b"\n"

        return streaming(body(), Finished())

    with FakeRuntimeApi(slots=SLOTS) as api:
        api.add(*events())
        async with serving(api, handler, slots=SLOTS):
            assert await answers(api) == {f"id-{n}": f"id-{n}\n".encode() * 3 for n in range(SLOTS)}


async def test_each_slot_has_a_connection_of_its_own_and_keeps_it() -> None:
    with FakeRuntimeApi(slots=8) as api:
        api.add(*events(40))
        async with serving(api, hello, slots=8):
            await answers(api, 40)
            await until(api, lambda: len(api.polls()) == 48)
        assert {one.connection for one in api.exchanges} == set(range(1, 9))


variable: ContextVar[str] = ContextVar("variable", default="unset")


@pytest.mark.parametrize("slots", [1, 8])
async def test_a_body_sees_what_its_own_synchronous_handler_set(slots: int) -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield variable.get().encode()

    def handler(event: bytes, context: LambdaContext) -> Result:
        assert variable.get() == "unset"
        variable.set(f"of {context.aws_request_id}")
        return streaming(body(), Finished())

    with FakeRuntimeApi(slots=slots) as api:
        api.add(*events(24))
        async with serving(api, handler, slots=slots):
            found = await answers(api, 24)
    assert found == {f"id-{n}": f"of id-{n}".encode() for n in range(24)}


@pytest.mark.parametrize("error", [ValueError("bad"), StopIteration(), SystemExit(3)])
async def test_a_synchronous_handler_that_fails_in_its_thread_is_reported(
    error: BaseException,
) -> None:
    def handler(event: bytes, context: LambdaContext) -> Result:
        raise error

    with FakeRuntimeApi(slots=2) as api:
        api.add(Event())
        async with serving(api, handler, slots=2):
            await until(api, lambda: any(one.complete for one in api.answers()))
        assert api.answers()[0].path.endswith("/error")


async def test_one_lost_stream_is_not_felt_by_the_others() -> None:
    lost, finished = Treatment(close_after_chunks=3), Finished()
    ready = asyncio.Event()

    def handler(event: bytes, context: LambdaContext) -> Result:
        async def body() -> AsyncGenerator[bytes, None]:
            yield b"one"
            await (ready.wait() if event == b"good" else asyncio.Event().wait())
            yield b"two"

        return streaming(body(), finished)

    with FakeRuntimeApi(slots=4) as api:
        api.add(*[Event(b"good")] * 3, Event(b"bad", treatment=lost))
        async with serving(api, handler, slots=4):
            await until(api, lambda: len(api.polls()) == 5)
            ready.set()
            await until(api, lambda: len(api.polls()) == 8)
    assert sorted(outcome.value for outcome in finished.outcomes) == ["completed"] * 3 + ["lost"]


class Pauses:
    """A sleep that takes no time and remembers how long it should have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def test_a_slot_that_fails_backs_off_alone_and_no_waiting_request_is_dropped() -> None:
    pauses = Pauses()
    with FakeRuntimeApi(slots=4) as api:
        async with serving(api, hello, slots=4, sleep=pauses):
            await until(api, lambda: len(api.polls()) == 4)
            api.add(Raw(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"))
            await until(api, lambda: len(api.polls()) == 5)
            api.add(*events(8))
            await answers(api, 8)
    assert pauses.seconds == [0.1]
    assert {one.connection for one in api.exchanges} == {1, 2, 3, 4, 5}


async def test_the_loop_ends_when_every_slot_has_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with FakeRuntimeApi(slots=3) as api:
        api.refuse_connections()
        async with serving(api, hello, slots=3, sleep=Pauses()) as task:
            assert await task == 1
    assert caplog.text.count("giving up after 5 tries") == 3


async def test_a_defect_in_one_slot_is_logged_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(seconds: float) -> None:
        raise ValueError("no timer")

    with FakeRuntimeApi(slots=2) as api:
        async with serving(api, hello, slots=2, sleep=broken) as task:
            await until(api, lambda: len(api.polls()) == 2)
            api.add(Raw(b"garbage"))
            api.add(*events(3))
            await answers(api, 3)
            assert not task.done()
    critical = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert [one.getMessage() for one in critical] == [
        "a slot of the runtime loop failed and is not used again"
    ]
