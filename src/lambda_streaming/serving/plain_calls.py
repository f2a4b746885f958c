"""Handlers called in plain Python: tests, `python -c`, a handler that somebody wrapped.

One event loop in a thread of its own serves them all, so that an app is started once, and so that
they can be called where an event loop runs already.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from lambda_streaming.responses import StreamOutcome
from lambda_streaming.runtime.error_report import run_guarded
from lambda_streaming.serving.answering import Answering
from lambda_streaming.serving.life_cycle import AppLifeCycle

T = TypeVar("T")

_SHUT_DOWN_SECONDS = 5.0


class PlainCalls:
    """`make` is called with the first event."""

    def __init__(self, make: Callable[[], tuple[Answering, AppLifeCycle]]) -> None:
        self._make = make
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answering: Answering | None = None

    def call(self, event: Mapping[str, Any], context: object) -> Any:
        """The answer as the JSON object of the event's front door. The work after it is done, too.

        Raises what fails an invocation.
        """
        if not isinstance(event, Mapping):
            raise TypeError(f"an event is a mapping, not {type(event).__name__}")
        with self._starting:
            answering = self._answering or self._start()
        return self._run(_answered(answering, event, context))

    def _start(self) -> Answering:
        if self._loop is None:
            self._loop = loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="app", daemon=True)
            thread.start()
            atexit.register(_close, loop, thread)
        answering, life_cycle = self._make()
        self._run(life_cycle.start())
        atexit.register(self._shut_down, life_cycle)
        self._answering = answering
        return answering

    def _shut_down(self, life_cycle: AppLifeCycle) -> None:
        async def shut_down() -> None:
            async with asyncio.timeout(_SHUT_DOWN_SECONDS):
                await run_guarded("the app's shut_down", life_cycle.shut_down)

        with suppress(TimeoutError):
            self._run(shut_down())

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        loop = self._loop
        assert loop is not None
        done: threading.Event = threading.Event()
        tasks: list[asyncio.Task[T]] = []
        context = contextvars.copy_context()

        def start() -> None:
            task = loop.create_task(coroutine, context=context)
            task.add_done_callback(lambda _: done.set())
            tasks.append(task)

        loop.call_soon_threadsafe(start)
        done.wait()
        return tasks[0].result()


def _close(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    loop.call_soon_threadsafe(loop.stop)
    thread.join(_SHUT_DOWN_SECONDS)
    if not loop.is_running():
        loop.close()


async def _answered(answering: Answering, event: Mapping[str, Any], context: object) -> Any:
    answer, finish = await answering.answer(event, context)
    if finish is not None:
        await run_guarded("finish", lambda: finish(StreamOutcome.COMPLETED, None))
    return answer
