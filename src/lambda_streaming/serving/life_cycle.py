"""Where the runtime and the tracing meet: what is done around the invocations of a process."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lambda_streaming.clock import Clock
from lambda_streaming.runtime.error_report import log_failure, run_guarded
from lambda_streaming.runtime.invocation import Invocation
from lambda_streaming.runtime.invoker import LifeCycle

if TYPE_CHECKING:
    from lambda_streaming.tracing.invocations import Invocations
    from lambda_streaming.tracing.tracer import Tracing

_log = logging.getLogger(__name__)

_TRACE_VARIABLE = "_X_AMZN_TRACE_ID"


class AppLifeCycle:
    """What an app does in the life of its process. Each method does nothing until it is
    overridden."""

    async def start(self) -> None:
        """In the init phase, on the event loop. What it raises fails the init."""

    async def restore(self) -> None:
        """In an environment restored from a snapshot: what was connected no longer is."""

    def thaw(self, rested_seconds: float) -> None:
        """An invocation comes after so many seconds of wall time without any, in which the
        environment may have been frozen."""

    def exported(self, lost_spans: int, failed_exports: int) -> None:
        """Spans were handed to the collector; how many were lost, and exports failed, since the
        last call."""

    async def shut_down(self) -> None:
        """The process ends within a fraction of a second (SIGTERM)."""


class UntracedLifeCycle(LifeCycle):
    """Tells the app of its process and the log of its invocations, and nobody else.

    `environ` is where other code finds the trace header (os.environ).
    """

    def __init__(
        self,
        invocations: Invocations,
        *,
        environ: MutableMapping[str, str],
        clock: Clock,
        app: AppLifeCycle,
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._app = app
        self._invocations = invocations
        self._running = 0
        self._rests_since_ms = clock.wall_ms()

    async def start(self) -> None:
        await self._app.start()

    async def restore(self) -> None:
        await self._app.restore()

    def begin(self, invocation: Invocation) -> None:
        self._running += 1
        running = self._invocations.begin(invocation.request_id, invocation.trace_header)
        self._environ.pop(_TRACE_VARIABLE, None)
        if self._running == 1:
            self._show(running.header.normalised())
            self._app.thaw((self._clock.wall_ms() - self._rests_since_ms) / 1000)

    def _show(self, trace_header: str | None) -> None:
        """Code that reads the trace header from the environment may do so while no other invocation
        could be meant."""
        if trace_header is not None:
            try:
                self._environ[_TRACE_VARIABLE] = trace_header
            except ValueError as error:  # its text may repeat the header, which is not for the log
                _log.error("the trace header cannot be used: %s", type(error).__name__)

    async def settle(self) -> None:
        self._running -= 1
        self._rests_since_ms = self._clock.wall_ms()
        self._invocations.end()

    async def shut_down(self) -> None:
        await run_guarded("the app's shut_down", self._app.shut_down)


class TracedLifeCycle(UntracedLifeCycle):
    """Begins and ends each invocation for the tracing, too, and exports its spans after its answer.

    The environment shows the trace header until the answer exists: what comes then is in the trace
    by its context.
    """

    def __init__(
        self,
        tracing: Tracing,
        invocations: Invocations,
        *,
        environ: MutableMapping[str, str],
        clock: Clock,
        app: AppLifeCycle,
    ) -> None:
        super().__init__(invocations, environ=environ, clock=clock, app=app)
        self._tracing = tracing
        # Of its own, so that hung AWS requests cannot keep a flush waiting.
        self._exporting = ThreadPoolExecutor(1, thread_name_prefix="flush")
        self._latest_export: tuple[threading.Event, asyncio.Future[None]] | None = None

    def handler_ended(self) -> None:
        self._environ.pop(_TRACE_VARIABLE, None)

    async def settle(self) -> None:
        # Cancelled only when the process exits: what is logged until then still belongs to this
        # invocation. Whatever else goes wrong here, the invocation is over.
        try:
            if self._tracing.has_work:
                await self._export()
            self._count_losses()
        except Exception as error:
            log_failure(_log, "exporting spans failed", error)
        await super().settle()

    async def shut_down(self) -> None:
        await asyncio.gather(
            run_guarded("the app's shut_down", self._app.shut_down), self._export_the_rest()
        )

    async def _export_the_rest(self) -> None:
        try:
            await self._export()
        finally:  # also where the collector takes longer than there is time
            self._tracing.buffer.give_up()

    def _export(self) -> Awaitable[None]:
        """One export for everybody who waits for one that has not begun."""
        if self._latest_export is None or self._latest_export[0].is_set():
            has_begun = threading.Event()
            loop = asyncio.get_running_loop()
            exported = loop.run_in_executor(self._exporting, self._flush, has_begun)
            self._latest_export = has_begun, exported
        return asyncio.shield(self._latest_export[1])

    def _flush(self, has_begun: threading.Event) -> None:
        has_begun.set()
        self._tracing.flush()

    def _count_losses(self) -> None:
        lost_spans, failed_exports = self._tracing.buffer.take_counts()
        if lost_spans or failed_exports:
            self._app.exported(lost_spans, failed_exports)
