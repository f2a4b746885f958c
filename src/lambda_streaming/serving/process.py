"""What a process is built of, and how it begins to serve."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from lambda_streaming.runtime.framing import EMPTY_BODY
from lambda_streaming.runtime.invocation import FunctionEnvironment
from lambda_streaming.runtime.invoker import Handler, LifeCycle
from lambda_streaming.runtime.loop import run
from lambda_streaming.serving.life_cycle import AppLifeCycle, TracedLifeCycle
from lambda_streaming.serving.take_over import AnyHandler, LambdaHandler, arm


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that is built once, in the init phase."""

    handler: Handler
    life_cycle: LifeCycle
    slots: int = 1
    """How many invocations may run at once."""
    empty_body: bytes = EMPTY_BODY
    """Sent in place of a streamed body without content, as chunks."""


def traced(
    handler: Handler,
    environ: MutableMapping[str, str],
    *,
    app: AppLifeCycle | None = None,
    slots: int = 1,
) -> Service:
    """The handler with both its phases in one trace, its log lines with the ids of the invocation.

    Raises SettingsError for environment variables that cannot be used.
    """
    # Of the extra `tracing`, without which apps are served untraced.
    from lambda_streaming.serving.recording.phases import Phases
    from lambda_streaming.serving.recording.tracers import Tracers

    tracers = Tracers.of_process(environ)
    life_cycle = TracedLifeCycle(
        tracers.tracing,
        tracers.invocations,
        environ=environ,
        clock=tracers.clock,
        app=app or AppLifeCycle(),
    )
    return Service(Phases(tracers).traced(handler), life_cycle, slots)


def run_service(compose: Callable[[], Service]) -> NoReturn:
    """Builds the service and serves until the process ends."""
    event_loop = _current_event_loop()
    try:
        with _without_garbage_collection():
            service = compose()
    except BaseException:
        event_loop.close()
        raise
    run(
        service.handler,
        environment=FunctionEnvironment.from_environ(os.environ),
        life_cycle=service.life_cycle,
        slots=service.slots,
        empty_body=service.empty_body,
        event_loop=event_loop,
    )


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Imports make tens of thousands of objects that stay. The garbage collector would go through
    them again and again while they are made, and at every full collection while streams wait;
    frozen they are left out (https://docs.python.org/3/library/gc.html#gc.freeze)."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()


def _current_event_loop() -> asyncio.AbstractEventLoop:
    """The one that the app's modules found when they were imported, or will find: some make a
    lock, or a client, for `asyncio.get_event_loop()` there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            event_loop = asyncio.get_event_loop()
        except RuntimeError:  # there is none, and Python 3.14 makes none
            event_loop = asyncio.new_event_loop()
    if event_loop.is_closed():
        event_loop = asyncio.new_event_loop()
    asyncio.set_event_loop(event_loop)
    return event_loop


Compose: TypeAlias = Callable[[MutableMapping[str, str]], Service]


def serve(compose: Compose) -> LambdaHandler:
    """The handler of a module whose handler setting names it: `handler = serve(compose)`.

    `compose` is called with the process environment when Lambda's runtime looks the handler up;
    what it raises fails the init. Outside Lambda nothing happens.
    """
    return serve_as(LambdaHandler, compose, caller=sys._getframe(1).f_globals["__name__"])


def serve_as(
    make: Callable[[Callable[[], NoReturn]], AnyHandler], compose: Compose, *, caller: str
) -> AnyHandler:
    """The same with a handler of the app's own kind; `caller` is the module that makes it."""

    def start() -> NoReturn:
        run_service(lambda: compose(os.environ))

    return arm(make(start), os.environ, sys.argv, caller)
