"""Work after an answer that is not streamed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lambda_streaming.responses import BufferedResponse, Response, StreamOutcome
from lambda_streaming.runtime.errors import RefusedError
from lambda_streaming.runtime.invoker import LifeCycle
from tests.fakes.runtime_api import Event, FakeRuntimeApi, Treatment
from tests.fakes.runtime_serving import Finished, serving, until, until_idle

each_kind = pytest.mark.parametrize(
    "answer", [Response(b"hello"), BufferedResponse(b"{}")], ids=["http", "buffered"]
)


@each_kind
async def test_it_follows_the_answer_and_comes_before_settling(
    answer: Response | BufferedResponse,
) -> None:
    go_on = asyncio.Event()
    calls: list[str] = []

    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        assert (outcome, error) == (StreamOutcome.COMPLETED, None)
        await go_on.wait()
        calls.append("finish")

    class Telling(LifeCycle):
        async def settle(self) -> None:
            calls.append("settle")

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda *_: replace(answer, finish=finish), life_cycle=Telling()):
            await until(api, lambda: any(one.status for one in api.answers()))
            assert not calls
            assert len(api.polls()) == 1, "the environment would freeze"
            go_on.set()
            await until_idle(api, 2)
    assert calls == ["finish", "settle"]


@each_kind
async def test_it_is_told_that_the_answer_was_refused(answer: Response | BufferedResponse) -> None:
    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(reply_status=413)))
        async with serving(api, lambda *_: replace(answer, finish=finished)):
            await until_idle(api, 2)
    assert finished.outcomes == [StreamOutcome.LOST]
    assert isinstance(finished.errors[0], RefusedError)


async def test_it_is_told_that_the_answer_could_not_be_begun() -> None:
    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(
            api, lambda *_: Response(b"hello", headers={"x-bad": "\n"}, finish=finished)
        ):
            await until_idle(api, 2)
    assert finished.outcomes == [StreamOutcome.FAILED]
    assert isinstance(finished.errors[0], ValueError)


async def test_what_it_raises_is_logged_and_the_next_invocation_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        raise ValueError("no mail sent")

    with FakeRuntimeApi() as api:
        api.add(Event(), Event())
        async with serving(api, lambda *_: Response(b"hello", finish=finish)):
            await until_idle(api, 3)
        assert [one.payload for one in api.answers()] == [b"hello", b"hello"]
    assert [one.getMessage() for one in caplog.records] == ["finish failed"] * 2


@each_kind
async def test_it_is_told_that_there_was_no_time_for_the_answer(
    answer: Response | BufferedResponse,
) -> None:
    finished = Finished()
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(no_reply=True)))
        async with serving(api, lambda *_: replace(answer, finish=finished)) as loop:
            await until(api, lambda: any(one.complete for one in api.answers()))
            loop.cancel()
            await asyncio.wait([loop])
    assert finished.outcomes == [StreamOutcome.SHUTDOWN]
