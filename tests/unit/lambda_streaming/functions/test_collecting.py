"""A streamed answer as a whole one, on a loop of virtual time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

from lambda_streaming.functions.collecting import BodyTooLarge, OutOfTime, collected
from lambda_streaming.responses import Response, StreamingResponse, StreamOutcome, Write
from tests.fakes.virtual_time import run_in_real_time, run_virtually

Told = list[tuple[StreamOutcome, BaseException | None]]


def telling(told: Told) -> Callable[..., Coroutine[Any, Any, None]]:
    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        told.append((outcome, error))

    return finish


async def words() -> AsyncIterator[str]:
    yield "one "
    await asyncio.sleep(1)
    yield "two"


async def pushed(write: Write) -> None:
    await write("one ")
    await write(b"two")


def answer_of(body: Any, told: Told, **options: Any) -> Response:
    async def run() -> Response:
        response = StreamingResponse(body, 201, {"a": "b"}, ("c=d",), finish=telling(told))
        answer = await collected(response, limit_bytes=100, **options)
        assert told == [], "it is told when the answer is delivered"
        assert answer.finish is not None
        await answer.finish(StreamOutcome.COMPLETED, None)
        return answer

    return run_virtually(run())


@pytest.mark.parametrize("make_body", [words, lambda: pushed], ids=["iterable", "function"])
def test_the_blocks_are_one_body(make_body: Callable[[], Any]) -> None:
    told: Told = []
    answer = answer_of(make_body(), told, last_moment=5)

    assert (answer.body, answer.status, answer.headers, answer.cookies) == (
        b"one two",
        201,
        {"a": "b"},
        ("c=d",),
    )
    assert told == [(StreamOutcome.COMPLETED, None)]


def test_an_iterable_that_is_not_asynchronous_is_collected_too() -> None:
    async def run() -> Response:
        blocks: list[bytes | str] = ["one ", b"two"]
        return await collected(StreamingResponse(iter(blocks)), limit_bytes=100)

    assert run_in_real_time(run()).body == b"one two"


def late(body: Any, told: Told, *, last_moment: float = 5) -> tuple[float, float]:
    """When the collecting ended, and when the work after the answer in its place did."""

    async def run() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        response = StreamingResponse(body, finish=telling(told))
        with pytest.raises(OutOfTime) as raised:
            await collected(response, limit_bytes=100, last_moment=last_moment)
        was_late_at = loop.time()
        assert told == []
        await raised.value.finish(StreamOutcome.COMPLETED, None)
        return was_late_at, loop.time()

    return run_virtually(run())


def test_a_body_that_does_not_end_is_out_of_time_and_closed() -> None:
    told: Told = []
    seen: list[str] = []

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
                await asyncio.sleep(100)
        finally:
            seen.append("closed")

    assert late(endless(), told) == (5, 5)
    assert seen == ["closed"]
    assert [(outcome, type(error)) for outcome, error in told] == [
        (StreamOutcome.FAILED, OutOfTime)
    ]


def test_a_body_that_swallows_its_cancellation_keeps_no_answer_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It keeps the environment: nothing of it runs on in the next invocation."""

    async def stubborn(write: Write) -> None:
        for _ in range(3):
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                pass

    assert late(stubborn, []) == (5.5, 6.5)
    assert "the body goes on after its cancellation" in caplog.text


@pytest.mark.parametrize("block", ["x", ""])
def test_a_body_that_knows_no_pause_is_bounded(block: str) -> None:
    async def run() -> None:
        async def endless(write: Write) -> None:
            while True:
                await write(block)

        loop = asyncio.get_running_loop()
        with pytest.raises((OutOfTime, BodyTooLarge)):
            await collected(
                StreamingResponse(endless), limit_bytes=100, last_moment=loop.time() + 0.05
            )

    run_in_real_time(run())


def test_what_the_body_raises_is_raised_with_finish_done() -> None:
    told: Told = []

    def failing() -> Iterator[str]:
        yield "one"
        raise LookupError("no more")

    async def run() -> None:
        with pytest.raises(LookupError):
            await collected(StreamingResponse(failing(), finish=telling(told)), limit_bytes=100)

    run_in_real_time(run())
    assert [(outcome, str(error)) for outcome, error in told] == [(StreamOutcome.FAILED, "no more")]


def test_a_body_above_the_limit_is_refused() -> None:
    async def run() -> None:
        with pytest.raises(BodyTooLarge, match="more than 6 bytes"):
            await collected(StreamingResponse(words()), limit_bytes=6)

    run_virtually(run())


def test_the_work_after_the_end_is_done_in_finish_which_is_told_of_its_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: Told = []

    async def body(write: Write) -> None:
        await write("all")
        await write.end()
        await asyncio.sleep(1)
        raise LookupError("too late")

    assert answer_of(body, told).body == b"all"
    assert [(outcome, str(error)) for outcome, error in told] == [
        (StreamOutcome.COMPLETED, "too late")
    ]
    assert "the work after the body failed" in caplog.text


def test_nothing_can_be_written_after_the_end() -> None:
    told: Told = []

    async def body(write: Write) -> None:
        await write.end()
        await write("more")

    assert answer_of(body, told).body == b""
    assert isinstance(told[0][1], RuntimeError)


def test_sigterm_ends_the_body_and_tells_finish(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    told: Told = []

    async def body(write: Write) -> None:
        await asyncio.sleep(100)

    async def run() -> None:
        response = StreamingResponse(body, finish=telling(told))
        collecting = asyncio.create_task(collected(response, limit_bytes=100))
        await asyncio.sleep(1)
        collecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await collecting

    run_virtually(run())
    assert told == [(StreamOutcome.SHUTDOWN, None)]
    assert caplog.text == ""
