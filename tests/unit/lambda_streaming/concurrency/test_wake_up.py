"""One waiter, woken by anyone or by a deadline."""

from __future__ import annotations

import asyncio

import pytest

from lambda_streaming.concurrency.wake_up import WakeUp
from tests.fakes.virtual_time import run_virtually


def test_a_deadline_ends_a_wait() -> None:
    async def scenario() -> tuple[bool, float]:
        loop = asyncio.get_running_loop()
        return await WakeUp().wait_until(15.0), loop.time()

    assert run_virtually(scenario()) == (False, 15.0)


def test_a_set_ends_a_wait_at_once() -> None:
    async def scenario() -> tuple[bool, float]:
        loop = asyncio.get_running_loop()
        wake_up = WakeUp()
        loop.call_later(3, wake_up.set)
        return await wake_up.wait_until(15.0), loop.time()

    assert run_virtually(scenario()) == (True, 3.0)


def test_a_set_before_the_wait_is_not_lost_and_counts_once() -> None:
    async def scenario() -> list[bool]:
        wake_up = WakeUp()
        wake_up.set()
        wake_up.set()
        return [await wake_up.wait_until(1.0), await wake_up.wait_until(1.0)]

    assert run_virtually(scenario()) == [True, False]


def test_a_deadline_that_has_passed_does_not_hide_a_set() -> None:
    async def scenario() -> bool:
        wake_up = WakeUp()
        wake_up.set()
        return await wake_up.wait_until(-1.0)

    assert run_virtually(scenario())


def test_a_cancelled_wait_leaves_it_usable() -> None:
    async def scenario() -> bool:
        wake_up = WakeUp()
        waiting = asyncio.create_task(wake_up.wait_until(100.0))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        wake_up.set()
        return await wake_up.wait_until(100.0)

    assert run_virtually(scenario())


def test_no_timer_is_left_behind() -> None:
    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        wake_up = WakeUp()
        for _ in range(100):
            loop.call_later(0.001, wake_up.set)
            await wake_up.wait_until(loop.time() + 1000)
        await asyncio.sleep(0.001)
        return loop.time()

    assert run_virtually(scenario()) < 1
