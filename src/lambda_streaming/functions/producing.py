"""The body of a function's answer, in a task of its own that can be ended in time."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterable, Coroutine
from typing import Any

from lambda_streaming.failure_answers import DeadlineReached
from lambda_streaming.responses import Body, StreamOutcome, Write
from lambda_streaming.runtime.error_report import log_failure
from lambda_streaming.runtime.errors import ConnectionLostError
from lambda_streaming.runtime.invoker import adopt
from lambda_streaming.runtime.response_stream import Iteration, close_body

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 1.0
"""Between two cancellations of a body that goes on after its first one."""
_ENDED_BY_CANCELLING = (asyncio.CancelledError, ConnectionLostError)


class Production:
    """Begins at once. What the body raises is kept in `error`."""

    def __init__(self, body: Body, write: Write) -> None:
        self._body = body
        self._blocks: Iteration[bytes | str] | None = None
        self._write = _Gate(write)
        self._context = contextvars.copy_context()
        self._cancellations = 0
        self.error: BaseException | None = None
        self.task = asyncio.get_running_loop().create_task(self._run(), context=self._context)

    async def _run(self) -> None:
        body, write = self._body, self._write
        try:
            if isinstance(body, AsyncIterable) or not callable(body):
                self._blocks = Iteration(body)
                async for block in self._blocks:
                    await write(block)
            else:
                await body(write)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit would end the event loop
            self.error = error

    async def ended(self, until: float | None) -> bool:
        """Waits for its end; False where `until`, on the event loop's clock, comes first."""
        seconds = None
        if until is not None:
            seconds = max(0.0, until - asyncio.get_running_loop().time())
        await asyncio.wait((self.task,), timeout=seconds)
        return self.task.done()

    async def cancel(self, clean_up_seconds: float | None) -> None:
        """Cancels the body where it waits, and waits so long for it. Nothing that it writes from
        here on is sent."""
        self._write.is_closed = True
        if self.task.done():
            return
        self._cancellations += 1
        if self._cancellations == 2:
            logger.error("the body goes on after its cancellation")
        self.task.cancel()
        await asyncio.wait((self.task,), timeout=clean_up_seconds)
        if self.task.done():
            error, self.error = self.error, None
            if error is not None and not isinstance(error, _ENDED_BY_CANCELLING):
                log_failure(logger, "the body failed on its cancellation", error)

    async def end(self) -> None:
        """Returns when the body is over: nothing of one invocation runs on in the next."""
        while not self.task.done():
            await self.cancel(_GRACE_SECONDS)

    async def close(self) -> None:
        """Closes the body that is over."""
        if self._blocks is not None:
            await self._blocks.aclose()
        await close_body(self._body)

    def result(self) -> None:
        """Of a body that is over: raises what it raised, sets the context variables it set."""
        adopt(self._context)
        # The traceback of the error leads back to this object: keep no cycle of them.
        error, self.error = self.error, None
        if error is not None:
            raise error


class BoundedBody:
    """A body that ends at `last_moment`, on the event loop's clock, whatever it waits for: then it
    is cancelled, has `clean_up_seconds`, and DeadlineReached is raised in its place."""

    def __init__(self, body: Body, last_moment: float, clean_up_seconds: float) -> None:
        self._body = body
        self._last_moment = last_moment
        self._clean_up_seconds = clean_up_seconds
        self._production: Production | None = None

    async def __call__(self, write: Write) -> None:
        production = self._production = Production(self._body, write)
        try:
            in_time = await production.ended(self._last_moment)
        except asyncio.CancelledError:
            await production.cancel(None)
            raise
        if not in_time:
            await production.cancel(self._clean_up_seconds)
            raise DeadlineReached("the stream was cut off before the function's deadline")
        production.result()

    async def aclose(self) -> None:
        production, self._production = self._production, None
        if production is None:
            await close_body(self._body)
            return
        await production.end()
        await production.close()


class _Gate:
    """The `Write` of a body that may be told that its answer is over."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self.is_closed = False

    @property
    def stopped_by(self) -> StreamOutcome | None:
        return self._write.stopped_by

    def __call__(self, block: bytes | str) -> Coroutine[Any, Any, None]:
        self._check()
        return self._write(block)

    def end(self) -> Coroutine[Any, Any, None]:
        self._check()
        return self._write.end()

    def _check(self) -> None:
        if self.is_closed:
            raise ConnectionLostError("the answer is over")
