"""ASGI's lifespan: once in the life of an environment, in one task and one context.

Never once for each invocation: an MCP server, for one, can be started only once
(https://github.com/modelcontextprotocol/python-sdk/issues/3121).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal, TypeAlias

from lambda_streaming.bridge.left_behind import where_it_waits
from lambda_streaming.bridge.types import AsgiApp, Message
from lambda_streaming.runtime.error_report import log_failure

logger = logging.getLogger(__name__)

Mode: TypeAlias = Literal["auto", "on", "off"]

# The init phase may take 10 s; one that takes longer is begun again in the first invocation.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
_SLOW_STARTUP_SECONDS = 8.0
_RETURN_SECONDS = 0.05
"""For an app that has said its last word to return."""


class LifespanError(Exception):
    """The app could not start."""


class Lifespan:
    """`auto` goes on without lifespan where the app has none, `on` does not, `off` never asks.

    `state` is what the app's start-up puts there for every request.
    """

    def __init__(self, app: AsgiApp, mode: Mode = "auto") -> None:
        if mode not in ("auto", "on", "off"):
            raise ValueError(f"lifespan must be auto, on or off, not {mode!r}")
        self._app = app
        self._mode = mode
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._asked = False
        self._failure: str | None = None
        self._started = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self.state: dict[str, Any] = {}

    async def start(self) -> None:
        """Returns when the app has started. Raises LifespanError with the app's own message."""
        if self._mode == "off":
            return
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run())
        slow = loop.call_later(_SLOW_STARTUP_SECONDS, self._log_slow_startup)
        try:
            await self._started.wait()
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        finally:
            slow.cancel()
        if self._failure is not None:
            await self._let_it_return()
            raise LifespanError(f"the app's startup failed: {self._failure}") from self._error
        if self._task.done() or self._error is not None:
            if self._mode == "on":
                what = "raised" if self._error else "returned"
                raise LifespanError(
                    f"the app {what} before lifespan.startup.complete, with lifespan=on"
                ) from self._error
            logger.info("ASGI 'lifespan' protocol appears unsupported.")

    async def shut_down(self) -> None:
        """Returns when the app has shut down. Cancel it when there is no more time."""
        if self._task is None or self._task.done():
            return
        self._stopping.set()
        try:
            await self._stopped.wait()
        except asyncio.CancelledError:
            logger.warning("lifespan shutdown was cut off: %s", where_it_waits(self._task))
            self._task.cancel()
            raise
        if self._failure is not None:
            logger.error("the app's shutdown failed: %s", self._failure)
        await self._let_it_return()

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._app(scope, self._receive, self._send)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit would end the event loop
            self._error = error
            is_our_doing = isinstance(error, asyncio.CancelledError) and self._stopping.is_set()
            if self._started.is_set() and self._failure is None and not is_our_doing:
                log_failure(logger, "the app's lifespan failed", error)
        finally:
            self._started.set()
            self._stopped.set()

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        phase = self._stopped if self._started.is_set() else self._started
        expected = "shutdown" if phase is self._stopped else "startup"
        if phase.is_set() or kind not in (
            f"lifespan.{expected}.complete",
            f"lifespan.{expected}.failed",
        ):
            raise RuntimeError(f"Unexpected ASGI message '{kind}' on lifespan protocol.")
        if kind.endswith(".failed"):
            self._failure = str(message.get("message", "")).strip() or "the app gave no reason"
        phase.set()

    async def _let_it_return(self) -> None:
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=_RETURN_SECONDS)
            self._task.cancel()

    def _log_slow_startup(self) -> None:
        if self._task is not None:
            logger.warning(
                "lifespan startup takes longer than %g s of the 10 s of the init phase: %s",
                _SLOW_STARTUP_SECONDS,
                where_it_waits(self._task),
            )
