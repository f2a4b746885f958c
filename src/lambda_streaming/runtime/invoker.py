"""One invocation, from its event to what is settled after its answer."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, TypeAlias, TypeVar, cast

from lambda_streaming.responses import Result, StreamingResponse, StreamOutcome
from lambda_streaming.runtime.client import RuntimeApi
from lambda_streaming.runtime.error_report import is_cancelled, log_failure, run_guarded
from lambda_streaming.runtime.errors import RuntimeApiError
from lambda_streaming.runtime.invocation import FunctionEnvironment, Invocation, LambdaContext
from lambda_streaming.runtime.response_stream import ResponseStream, close_body
from lambda_streaming.runtime.termination import TerminatedError, Termination

logger = logging.getLogger(__name__)

T = TypeVar("T")

_UNSET = object()

Handler: TypeAlias = Callable[[bytes, LambdaContext], Result | Awaitable[Result]]
"""Called on the event loop's thread, which is the main thread; with several slots, a synchronous
one on a worker thread, so that it keeps no other invocation waiting. SIGTERM cancels a handler that
is awaited, and interrupts a synchronous one on the main thread by an exception."""


class LifeCycle:
    """What is done around invocations. Each method does nothing until it is overridden.

    `begin`, `handler_ended` and `settle` run in the context of their invocation.
    """

    async def start(self) -> None:
        """In the init phase, before the first invocation: what it raises fails the init."""

    async def restore(self) -> None:
        """In an environment restored from a snapshot: what it raises ends the environment."""

    def begin(self, invocation: Invocation) -> None:
        """An invocation came; its handler is called next."""

    def handler_ended(self) -> None:
        """The answer object exists, or the handler failed; nothing of the answer is sent yet."""

    async def settle(self) -> None:
        """The answer is sent. The environment may freeze afterwards."""

    async def shut_down(self) -> None:
        """After SIGTERM and the end of the invocations that it found. Cancelled when its time is
        up."""


class Invoker:
    """Runs one invocation after the other. Nothing of one is left when the next begins."""

    def __init__(
        self,
        handler: Handler,
        *,
        api: RuntimeApi,
        environment: FunctionEnvironment,
        life_cycle: LifeCycle,
        termination: Termination,
        monotonic: Callable[[], float],
        threads: Executor | None = None,
    ) -> None:
        """`threads` is for synchronous handlers; without them they run on the loop's thread."""
        self._handler = handler
        self._api = api
        self._environment = environment
        self._life_cycle = life_cycle
        self._termination = termination
        self._monotonic = monotonic
        self._threads = None if is_async(handler) else threads
        self._stream: ResponseStream | None = None
        self._answered = False

    async def run(self, invocation: Invocation) -> None:
        """Answers the invocation and cleans up after it, in a context of its own: what the handler
        sets in context variables, its body sees, and no other invocation."""
        context = contextvars.copy_context()
        running = self._run(invocation, context)
        try:
            await asyncio.get_running_loop().create_task(running, context=context)
        finally:
            self._answered = False

    def terminate(self) -> bool:
        """Ends the answer under way for SIGTERM; False where all that can be done is to cancel."""
        if self._stream is not None:
            self._stream.stop(StreamOutcome.SHUTDOWN)
            return True
        return self._answered

    async def _run(self, invocation: Invocation, context: contextvars.Context) -> None:
        self._guarded("begin", lambda: self._life_cycle.begin(invocation))
        result: Result | None = None
        try:
            result = await self._call(invocation)
            request = self._api.answer_request(invocation, result)
        except (TerminatedError, KeyboardInterrupt):
            raise
        except BaseException as error:
            if self._termination.begun:  # the handler turned the interruption into another error
                raise TerminatedError from error
            if is_cancelled(error):
                raise
            log_failure(logger, "the handler failed", error)
            await self._post(self._api.error_request(invocation, error), "/error")
            await self._finish_unsent(result, StreamOutcome.FAILED, error)
            return
        if self._termination.begun:  # the handler swallowed the interruption, or was just done
            if result.finish is not None or isinstance(result, StreamingResponse):
                await self._finish_unsent(result, StreamOutcome.SHUTDOWN, None)
            raise TerminatedError
        try:
            if isinstance(result, StreamingResponse):
                ended = await self._send_stream(result, request, context)
            else:
                self._answered = True
                ended = await self._post(request, "/response")
        except asyncio.CancelledError:  # SIGTERM, and no time left
            await self._finish(result, StreamOutcome.SHUTDOWN, None)
            raise
        await self._after_answer(result, *ended)

    async def _call(self, invocation: Invocation) -> Result:
        context = LambdaContext.of(invocation, self._environment, self._monotonic)
        try:
            if self._threads is None:
                with self._termination.interrupting():
                    result = self._handler(invocation.event, context)
            else:
                result = await in_thread(
                    self._threads, lambda: self._handler(invocation.event, context)
                )
            return await result if isinstance(result, Awaitable) else result
        finally:
            self._guarded("handler_ended", self._life_cycle.handler_ended)

    @staticmethod
    def _guarded(what: str, hook: Callable[[], None]) -> None:
        try:
            hook()
        except Exception as error:
            log_failure(logger, f"{what} failed", error)

    async def _send_stream(
        self, response: StreamingResponse, head: bytes, context: contextvars.Context
    ) -> tuple[StreamOutcome, BaseException | None]:
        self._stream = ResponseStream(
            self._api.connection,
            response,
            monotonic=self._monotonic,
            empty_body=self._api.empty_body,
        )
        try:
            return await self._stream.run(head, context)
        finally:
            self._stream = None

    async def _post(self, request: bytes, what: str) -> tuple[StreamOutcome, BaseException | None]:
        try:
            await self._api.post(request, what)
        except RuntimeApiError as error:
            logger.warning("answer not delivered: %s", error)
            return StreamOutcome.LOST, error
        return StreamOutcome.COMPLETED, None

    async def _finish_unsent(
        self, result: Result | None, outcome: StreamOutcome, error: BaseException | None
    ) -> None:
        if isinstance(result, StreamingResponse):
            await close_body(result.body)
        await self._after_answer(result, outcome, error)

    async def _after_answer(
        self, result: Result | None, outcome: StreamOutcome, error: BaseException | None
    ) -> None:
        self._answered = True
        await self._finish(result, outcome, error)
        await run_guarded("settle", self._life_cycle.settle)

    @staticmethod
    async def _finish(
        result: Result | None, outcome: StreamOutcome, error: BaseException | None
    ) -> None:
        if isinstance(result, Result) and (finish := result.finish) is not None:
            await run_guarded("finish", lambda: finish(outcome, error))


def is_async(handler: Callable[..., Any]) -> bool:
    """Whether it is a coroutine function, decorated or not, or an object with such a `__call__`."""
    innermost = inspect.unwrap(handler)
    call = getattr(innermost, "__call__", None)  # noqa: B004 (an object's method is wanted)
    return inspect.iscoroutinefunction(innermost) or inspect.iscoroutinefunction(call)


async def in_thread(threads: Executor | None, call: Callable[[], T]) -> T:
    """Runs it on one of the threads, by default of the event loop's own, in a copy of this context,
    then sets here the context variables that it set."""

    def run() -> tuple[T | None, BaseException | None]:
        # No future holds the exception: it may be one that asyncio treats in its own way.
        try:
            return call(), None
        except BaseException as error:
            return None, error

    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    result, error = await loop.run_in_executor(threads, context.run, run)
    adopt(context)
    if error is not None:
        raise error
    return cast(T, result)


def adopt(context: contextvars.Context) -> None:
    """Sets here the context variables that were set there, in a copy of this context."""
    for variable, value in context.items():
        if variable.get(_UNSET) is not value:
            variable.set(value)
