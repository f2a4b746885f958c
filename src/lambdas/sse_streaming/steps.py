"""A stream's steps: each has a record in the trace, and its AWS requests run on a worker thread,
so that a slow or dead service never delays a heartbeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from lambdas.sse_streaming.parts import Offload
from lambdas.sse_streaming.tracing.operation import Operation, StreamTrace

T = TypeVar("T")


class Steps:
    def __init__(self, trace: StreamTrace, offload: Offload) -> None:
        self._trace = trace
        self._offload = offload
        self._in_flight: set[asyncio.Future[Any]] = set()

    async def run(
        self,
        step: Operation,
        work: Callable[[], T],
        *,
        unwanted: Callable[[T], None] | None = None,
        failed: Callable[[], None] = lambda: None,
    ) -> T:
        """Do a step's requests on a thread. The caller finishes the step, unless it failed: then
        `failed` is called, and the step finished.

        A stream that ends meanwhile does not wait here, and the step ends when the thread does;
        `unwanted` is then given what came of it.
        """
        future = asyncio.ensure_future(self._offload(lambda: step.run(work)))
        self._in_flight.add(future)
        future.add_done_callback(self._in_flight.discard)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda done: self._finish_late(step, done, unwanted, failed))
            raise
        except Exception as error:
            failed()
            self._trace.finish(step, error)
            raise

    def _finish_late(
        self,
        step: Operation,
        done: asyncio.Future[T],
        unwanted: Callable[[T], None] | None,
        failed: Callable[[], None],
    ) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            failed()
        self._trace.finish(step, error)
        if unwanted is not None and error is None and not done.cancelled():
            unwanted(done.result())

    async def settle(self, timeout_seconds: float | None = None) -> None:
        """Wait for what is under way; not longer than bounded."""
        if self._in_flight:
            await asyncio.wait(tuple(self._in_flight), timeout=timeout_seconds)
