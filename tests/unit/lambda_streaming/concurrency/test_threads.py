"""Threads that a blocked call keeps from nobody, and what is iterated over on them."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from lambda_streaming.concurrency.threads import DaemonThreads
from lambda_streaming.runtime.response_stream import Iteration


def threads_named(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def wait_for_threads(name: str, count: int) -> None:
    ends_at = time.monotonic() + 10
    while threads_named(name) != count:
        assert time.monotonic() < ends_at
        time.sleep(0.001)


def test_a_blocked_call_keeps_no_other_one_waiting() -> None:
    threads = DaemonThreads("blocked")
    go_on = threading.Event()
    blocked = [threads.submit(go_on.wait) for _ in range(50)]

    assert threads.submit(lambda number: number + 1, 6).result(10) == 7

    go_on.set()
    assert all(future.result(10) for future in blocked)
    threads.shutdown()
    wait_for_threads("blocked", 0)


def test_a_thread_is_used_again() -> None:
    threads = DaemonThreads("again")
    seen = {threads.submit(threading.get_ident).result(10) for _ in range(20)}

    assert len(seen) == 1
    threads.shutdown()


def test_what_a_call_raises_is_its_result() -> None:
    threads = DaemonThreads("raising")

    with pytest.raises(SystemExit):
        threads.submit(sys.exit).result(10)
    assert threads.submit(int).result(10) == 0

    threads.shutdown()
    with pytest.raises(RuntimeError):
        threads.submit(int)


async def test_an_iteration_that_is_blocked_leaves_the_loops_own_threads_free() -> None:
    go_on = threading.Event()
    threads_before = threads_named("body")

    def blocking() -> Iterator[str]:
        go_on.wait()
        yield "late"

    tasks = []
    for _ in range(40):
        iteration = Iteration(blocking())
        tasks.append(asyncio.ensure_future(anext(aiter(iteration))))
        await asyncio.sleep(0)
        tasks[-1].cancel()
        await iteration.aclose()

    async with asyncio.timeout(10):
        assert await asyncio.to_thread(int) == 0
    go_on.set()
    await asyncio.to_thread(wait_for_threads, "body", threads_before)


class OwnIterator:
    """Its iterator is a generator, which holds something open."""

    def __init__(self) -> None:
        self.closed: list[str] = []

    def __iter__(self) -> Iterator[str]:
        try:
            yield "one"
            yield "two"
        finally:
            self.closed.append("sync")

    async def opened(self) -> AsyncIterator[str]:
        try:
            yield "one"
            yield "two"
        finally:
            self.closed.append("async")


class OwnAsyncIterator(OwnIterator):
    def __aiter__(self) -> AsyncIterator[str]:
        return self.opened()


@pytest.mark.parametrize(
    ("body", "closed"), [(OwnIterator(), ["sync"]), (OwnAsyncIterator(), ["async"])]
)
async def test_an_iteration_closes_the_iterator_too(body: Any, closed: list[str]) -> None:
    iteration: Iteration[str] = Iteration(body)
    members = aiter(iteration)

    assert await anext(members) == "one"
    await iteration.aclose()

    assert body.closed == closed
