"""The runtime loop: ask for an invocation, run it, ask again."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn

from lambda_streaming.runtime.client import RuntimeApi
from lambda_streaming.runtime.connection import Endpoint, parse_endpoint
from lambda_streaming.runtime.error_report import run_guarded
from lambda_streaming.runtime.errors import RuntimeApiError
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
"""For the clean-up of a task whose time was up at SIGTERM."""


def run(
    handler: Handler,
    *,
    environment: FunctionEnvironment,
    life_cycle: LifeCycle,
) -> NoReturn:
    """Serves invocations until the process ends, on the main thread.

    Raises before the first `/next` only: ValueError names the environment variable that cannot be
    used, RuntimeError tells of a wrong thread, RuntimeApiError of a failed `/restore/next`;
    whatever the life cycle's `start` raises goes through. What fails later is logged and ends the
    process.
    """
    if environment.max_concurrency is not None:
        raise ValueError(
            f"AWS_LAMBDA_MAX_CONCURRENCY={environment.max_concurrency!r}: this function takes one "
            "invocation at a time and cannot run on Lambda Managed Instances"
        )
    endpoint = parse_endpoint(environment.api)
    require_main_thread()
    event_loop = asyncio.new_event_loop()
    termination = Termination(event_loop)
    loop = RuntimeLoop(
        handler,
        endpoint=endpoint,
        environment=environment,
        life_cycle=life_cycle,
        termination=termination,
    )
    previous = termination.listen()
    try:
        code = event_loop.run_until_complete(loop.supervise())
    except BaseException:
        if not loop.initialised:
            signal.signal(signal.SIGTERM, previous)
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
        wall_clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = RuntimeApi(endpoint, wall_clock=wall_clock, monotonic=monotonic)
        self._invoker = Invoker(
            handler,
            api=self._api,
            environment=environment,
            life_cycle=life_cycle,
            termination=termination,
            monotonic=monotonic,
        )
        self._life_cycle = life_cycle
        self._termination = termination
        self._restores = environment.initialization_type == _SNAP_START
        self._sleep = sleep
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
        """Runs invocation after invocation; the exit code when that is over."""
        await self._life_cycle.start()
        if self._restores and not await self._restore():
            return 1
        self.initialised = True
        while not self._termination.begun:
            invocation = await self._next_invocation()
            if invocation is None:
                return 1
            try:
                await self._invoker.run(invocation)
            except TerminatedError:
                break
        return 0

    def close(self) -> None:
        self._api.close()

    async def _next_invocation(self) -> Invocation | None:
        """None when the Runtime API failed too often in a row."""
        for pause_seconds in (*_BACKOFF_SECONDS, None):
            try:
                return await self._api.next_invocation()
            except RuntimeApiError as error:
                self._api.close()
                if pause_seconds is None:
                    logger.critical(
                        "giving up after %d tries to get an invocation, the process ends: %s",
                        len(_BACKOFF_SECONDS) + 1,
                        error,
                    )
                    return None
                logger.warning("no invocation, again in %.1f s: %s", pause_seconds, error)
            await self._sleep(pause_seconds)
        return None

    async def _restore(self) -> bool:
        """Waits out the snapshot and makes this environment differ from its siblings."""
        await self._api.restore_next()
        self.initialised = True
        try:
            if "random" in sys.modules:
                sys.modules["random"].seed()
            await self._life_cycle.restore()
        except Exception as error:
            logger.critical("restore failed: the process ends", exc_info=True)
            try:
                await self._api.post_restore_error(error)
            except RuntimeApiError as unreported:
                logger.warning("the failed restore was not reported: %s", unreported)
            return False
        return True

    async def _shut_down(self, serving: asyncio.Task[int]) -> None:
        """Ends the invocation, then lets the life cycle save what it left behind."""
        if not self._invoker.terminate():
            serving.cancel()
        late = await self._end((serving,), self._termination.invocation_seconds_left())
        saving = asyncio.create_task(run_guarded("shut_down", self._life_cycle.shut_down))
        late |= await self._end((serving, saving), self._termination.shut_down_seconds_left())
        if late:
            logger.warning("shutting down with %d tasks unfinished", len(late))

    async def _end(
        self, tasks: Sequence[asyncio.Task[Any]], seconds: float
    ) -> set[asyncio.Task[Any]]:
        """Waits for the tasks, and cancels those that take longer; which ones did."""
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_CANCEL_SECONDS)
        return late
