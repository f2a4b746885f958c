"""The runtime loop: asks for an invocation, runs it, asks again; in one slot or several at once."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import Any, NoReturn

from lambda_streaming.runtime.client import RuntimeApi
from lambda_streaming.runtime.connection import Endpoint, parse_endpoint
from lambda_streaming.runtime.error_report import run_guarded
from lambda_streaming.runtime.errors import RuntimeApiError
from lambda_streaming.runtime.framing import EMPTY_BODY
from lambda_streaming.runtime.invocation import FunctionEnvironment, Invocation
from lambda_streaming.runtime.invoker import Handler, Invoker, LifeCycle
from lambda_streaming.runtime.termination import (
    TerminatedError,
    Termination,
    exit_process,
    require_main_thread,
)

logger = logging.getLogger(__name__)

_BACKOFF_SECONDS = (0.1, 0.2, 0.4, 0.8)
_SNAP_START = "snap-start"
_CANCEL_SECONDS = 0.02
"""For the clean-up of a task that was cancelled because its time after SIGTERM was over."""


def run(
    handler: Handler,
    *,
    environment: FunctionEnvironment,
    life_cycle: LifeCycle,
    slots: int = 1,
    event_loop: asyncio.AbstractEventLoop | None = None,
    empty_body: bytes = EMPTY_BODY,
) -> NoReturn:
    """Serves invocations until the process ends, on the main thread; up to `slots` at once.
    `empty_body` is sent in place of a streamed body without content, as chunks. `event_loop` is one
    that does not run yet.

    Raises before the first `/next` only: ValueError for an environment variable that cannot be
    used, RuntimeError on another thread, RuntimeApiError for a failed `/restore/next`, and whatever
    the life cycle's `start` raises. What fails later is logged and ends the process.
    """
    if environment.max_concurrency is not None:
        raise ValueError(
            f"AWS_LAMBDA_MAX_CONCURRENCY={environment.max_concurrency!r}: this function takes one "
            "invocation at a time and cannot run on Lambda Managed Instances"
        )
    endpoint = parse_endpoint(environment.api)
    require_main_thread()
    event_loop = event_loop or asyncio.new_event_loop()
    termination = Termination(event_loop)
    loop = RuntimeLoop(
        handler,
        endpoint=endpoint,
        environment=environment,
        life_cycle=life_cycle,
        termination=termination,
        slots=slots,
        empty_body=empty_body,
    )
    termination.listen()
    try:
        code = event_loop.run_until_complete(loop.supervise())
    except BaseException:
        if not loop.initialised:
            termination.hand_back()
            loop.close()
            event_loop.close()
            raise
        logger.critical("the runtime loop failed: the process ends", exc_info=True)
        code = 1
    exit_process(code)


class RuntimeLoop:
    """One execution environment's life from its init phase on."""

    def __init__(
        self,
        handler: Handler,
        *,
        endpoint: Endpoint,
        environment: FunctionEnvironment,
        life_cycle: LifeCycle,
        termination: Termination,
        slots: int = 1,
        empty_body: bytes = EMPTY_BODY,
        wall_clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        threads = None if slots == 1 else _threads(slots)

        def slot() -> Slot:
            api = RuntimeApi(
                endpoint, wall_clock=wall_clock, monotonic=monotonic, empty_body=empty_body
            )
            invoker = Invoker(
                handler,
                api=api,
                environment=environment,
                life_cycle=life_cycle,
                termination=termination,
                monotonic=monotonic,
                threads=threads,
            )
            return Slot(api, invoker, termination, sleep)

        self._slots = [slot() for _ in range(slots)]
        self._life_cycle = life_cycle
        self._termination = termination
        self._restores = environment.initialization_type == _SNAP_START
        self.initialised = False
        """Whether the init phase is over: nothing may be raised to the managed runtime then."""

    async def supervise(self) -> int:
        """Serves until SIGTERM or a failure; the exit code of the process."""
        serving = asyncio.create_task(self.serve())
        await asyncio.wait(
            (serving, self._termination.requested), return_when=asyncio.FIRST_COMPLETED
        )
        if not self._termination.begun:
            return serving.result()
        await self._shut_down(serving)
        return 0

    async def serve(self) -> int:
        """Runs invocation after invocation in every slot; the exit code when all are over."""
        await self._life_cycle.start()
        if self._restores and not await self._restore():
            return 1
        self.initialised = True
        if len(self._slots) == 1:
            return await self._slots[0].serve()
        tasks = [asyncio.create_task(slot.serve_alone()) for slot in self._slots]
        codes = await asyncio.gather(*tasks, return_exceptions=True)
        return max((code for code in codes if isinstance(code, int)), default=0)

    def close(self) -> None:
        for slot in self._slots:
            slot.api.close()

    async def _restore(self) -> bool:
        """Waits until the snapshot is restored, then seeds `random` anew: every environment that is
        restored from it has the same state."""
        api = self._slots[0].api
        await api.restore_next()
        self.initialised = True
        try:
            if "random" in sys.modules:
                sys.modules["random"].seed()
            await self._life_cycle.restore()
        except Exception as error:
            logger.critical("restore failed: the process ends", exc_info=True)
            try:
                await api.post_restore_error(error)
            except RuntimeApiError as unreported:
                logger.warning("the failed restore was not reported: %s", unreported)
            return False
        return True

    async def _shut_down(self, serving: asyncio.Task[int]) -> None:
        """Ends the invocations, then lets the life cycle save what they left behind."""
        ended = [slot.terminate() for slot in self._slots]
        if not any(ended):
            serving.cancel()
        late = await self._end((serving,), self._termination.invocation_seconds_left())
        saving = asyncio.create_task(run_guarded("shut_down", self._life_cycle.shut_down))
        late |= await self._end((serving, saving), self._termination.shut_down_seconds_left())
        if late:
            logger.warning("shutting down with %d tasks unfinished", len(late))

    async def _end(
        self, tasks: Sequence[asyncio.Task[Any]], seconds: float
    ) -> set[asyncio.Task[Any]]:
        """Waits for the tasks, cancels those that take longer, and returns these."""
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_CANCEL_SECONDS)
        return late


def _threads(slots: int) -> Executor:
    # Imported here: it costs something, and most functions run one invocation at a time.
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(slots, thread_name_prefix="handler")


class Slot:
    """Runs one invocation after the other, on a connection of its own.

    A pending `/next` is never dropped: the invocation that it is answered with would be lost.
    """

    def __init__(
        self,
        api: RuntimeApi,
        invoker: Invoker,
        termination: Termination,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.api = api
        self._invoker = invoker
        self._termination = termination
        self._sleep = sleep
        self._task: asyncio.Task[int] | None = None

    async def serve(self) -> int:
        """The exit code when no more invocations are taken."""
        while not self._termination.begun:
            invocation = await self._next_invocation()
            if invocation is None:
                return 1
            try:
                await self._invoker.run(invocation)
            except TerminatedError:
                break
        return 0

    async def serve_alone(self) -> int:
        """The same, beside other slots, which go on whatever happens in this one."""
        self._task = asyncio.current_task()
        try:
            return await self.serve()
        except Exception:
            logger.critical(
                "a slot of the runtime loop failed and is not used again", exc_info=True
            )
            return 1

    def terminate(self) -> bool:
        """Ends the answer under way for SIGTERM, or cancels the slot where there are others; False
        where neither could be done."""
        if self._invoker.terminate():
            return True
        if self._task is None:
            return False
        self._task.cancel()
        return True

    async def _next_invocation(self) -> Invocation | None:
        """None when the Runtime API failed too often in a row."""
        for pause_seconds in (*_BACKOFF_SECONDS, None):
            try:
                return await self.api.next_invocation()
            except RuntimeApiError as error:
                self.api.close()
                if pause_seconds is None:
                    logger.critical(
                        "giving up after %d tries to get an invocation: %s",
                        len(_BACKOFF_SECONDS) + 1,
                        error,
                    )
                    return None
                logger.warning("no invocation, again in %.1f s: %s", pause_seconds, error)
            await self._sleep(pause_seconds)
        return None
