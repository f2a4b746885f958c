"""Handlers called in plain Python: tests, `python -c`, a handler that somebody wrapped.

One event loop in a thread of its own serves them all, so that an app is started once, and so that
they can be called where an event loop runs already.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from lambda_streaming.responses import StreamOutcome
from lambda_streaming.runtime.error_report import run_guarded
from lambda_streaming.serving.answering import Answering
from lambda_streaming.serving.life_cycle import AppLifeCycle

T = TypeVar("T")

Make: TypeAlias = Callable[[], tuple[Answering, AppLifeCycle]]

_SHUT_DOWN_SECONDS = 5.0


class PlainCalls:
    """`make` is called with the first event of a process: a forked one has none of the threads."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._apps: dict[int, _App] = {}

    def call(self, event: Mapping[str, Any], context: object) -> Any:
        """The answer as the JSON object of the event's front door. The work after it is done, too.

        Raises what fails an invocation, and RuntimeError where it would wait for itself.
        """
        if not isinstance(event, Mapping):
            raise TypeError(f"an event is a mapping, not {type(event).__name__}")
        app = self._apps.setdefault(os.getpid(), _App(self._make))
        return app.call(event, context)


class _App:
    """An app and its event loop, in one process."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._starting = threading.Lock()
        self._starter: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._answering: Answering | None = None
        self._life_cycle: AppLifeCycle | None = None

    def call(self, event: Mapping[str, Any], context: object) -> Any:
        self._refuse_own_threads()
        with self._starting:
            self._starter = threading.get_ident()
            try:
                answering = self._answering or self._start()
            finally:
                self._starter = None
        return self._run(lambda: _answered(answering, event, context))

    def _refuse_own_threads(self) -> None:
        here = threading.get_ident()
        if here == self._starter:
            raise RuntimeError("the handler was called by its own app, which is only starting")
        if self._thread is not None and here == self._thread.ident:
            raise RuntimeError(
                "the handler was called by its own app, on the thread of the app's event loop,"
                " which would wait for itself: call it in another thread, with asyncio.to_thread"
            )

    def _start(self) -> Answering:
        if self._loop is None:
            self._loop = loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=loop.run_forever, name="app", daemon=True)
            self._thread.start()
            _register_at_exit(self._end)
        answering, life_cycle = self._make()
        self._run(life_cycle.start)
        self._answering, self._life_cycle = answering, life_cycle
        return answering

    def _end(self) -> None:
        loop, thread, life_cycle = self._loop, self._thread, self._life_cycle
        if loop is None or thread is None or not thread.is_alive():  # in a forked process
            return
        if life_cycle is not None:
            with suppress(TimeoutError):
                self._run(lambda: _shut_down(life_cycle))
        self._run(_cancel_the_rest)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_SHUT_DOWN_SECONDS)
        if not loop.is_running():
            loop.close()

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        loop = self._loop
        assert loop is not None
        done: threading.Event = threading.Event()
        tasks: list[asyncio.Task[T]] = []
        context = contextvars.copy_context()

        def start() -> None:
            task = loop.create_task(work(), context=context)
            task.add_done_callback(lambda _: done.set())
            tasks.append(task)

        loop.call_soon_threadsafe(start)
        done.wait()
        return tasks[0].result()


def _register_at_exit(call: Callable[[], None]) -> None:
    """While apps can use threads for their shutdown: executors take nothing from the end of
    threading on, and atexit comes after it. The last one registered is called first."""
    import concurrent.futures.thread  # noqa: F401 (registers the end of executors)

    register = getattr(threading, "_register_atexit", atexit.register)
    try:
        register(call)
    except RuntimeError:  # the process is ending already
        atexit.register(call)


async def _shut_down(life_cycle: AppLifeCycle) -> None:
    async with asyncio.timeout(_SHUT_DOWN_SECONDS):
        await run_guarded("the app's shut_down", life_cycle.shut_down)


async def _cancel_the_rest() -> None:
    """Of the tasks that an app left running, as asyncio.run does."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=_SHUT_DOWN_SECONDS)


async def _answered(answering: Answering, event: Mapping[str, Any], context: object) -> Any:
    answer, finish = await answering.answer(event, context)
    if finish is not None:
        await run_guarded("finish", lambda: finish(StreamOutcome.COMPLETED, None))
    return answer
