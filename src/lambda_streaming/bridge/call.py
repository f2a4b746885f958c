"""One call of an app: its task, the bounds on it, and how it ends.

Whatever happens, the task is over when `finish` returns: nothing of one invocation runs on in the
next. An app that has to go is told first (`http.disconnect`, OSError from `send`), is cancelled a
second later, and keeps the environment until it gives in.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable

from lambda_streaming.bridge.cycle import Cycle, is_disconnect
from lambda_streaming.bridge.failures import IncompleteResponse, StreamTooLong
from lambda_streaming.bridge.left_behind import LeftBehind, where_it_waits
from lambda_streaming.bridge.observer import EndReason, Observer, told
from lambda_streaming.bridge.scope import framework_route
from lambda_streaming.bridge.types import AsgiApp, Scope
from lambda_streaming.failure_answers import DeadlineReached
from lambda_streaming.responses import StreamOutcome, Write
from lambda_streaming.runtime.error_report import log_failure

logger = logging.getLogger(__name__)

GRACE_SECONDS = 1.0
"""Between telling an app that its answer is over and cancelling it."""
_SHUTDOWN_GRACE_SECONDS = 0.03
"""The same after SIGTERM, with 120 ms for everything (runtime/termination.py)."""
_CLEAN_UP_SECONDS = 0.5
"""For what a cancelled app does before a stream ends without it."""


class Call:
    """Made, started and finished once.

    `last_moment`, on the clock `monotonic`, comes `margin_seconds` before the deadline.
    `background_seconds` bounds what the app does after its answer.
    """

    def __init__(
        self,
        app: AsgiApp,
        scope: Scope,
        body: bytes,
        *,
        observer: Observer,
        left_behind: LeftBehind,
        last_moment: float | None,
        margin_seconds: float,
        background_seconds: float | None,
        monotonic: Callable[[], float],
    ) -> None:
        self._app = app
        self._scope = scope
        self._observer = observer
        self._left_behind = left_behind
        self._margin_seconds = margin_seconds
        self.last_moment = last_moment
        self._background_seconds = background_seconds
        self._monotonic = monotonic
        self._changed: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._is_failure_told = False
        self._cancellations = 0
        self.returned = False
        """Whether the app is over."""
        self.cycle = Cycle(scope["method"], body, observer=observer, changed=self._wake)

    def start(self) -> None:
        """Calls the app, in a copy of this context."""
        self._left_behind.begin()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            returned: object = await self._app(self._scope, self.cycle.receive, self.cycle.send)
            if returned is not None:
                logger.error("ASGI callable should return None, but returned '%s'.", returned)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit would end the event loop
            self._error = error
        finally:
            self.returned = True
            told("app_returned", lambda: self._observer.app_returned(self._own_error()))
            self._wake()

    def _own_error(self) -> BaseException | None:
        """What the app raised, but for what it was ended with."""
        error = self._error
        if isinstance(error, asyncio.CancelledError) and self._cancellations:
            return None
        if error is not None and not self.cycle.is_complete and is_disconnect(error):
            return None
        return error

    # What the answer is made from

    async def head(self) -> bool:
        """Waits until the answer can begin; False where there was no time left for it."""
        return await self._until(lambda: self.cycle.is_head_due or self.returned, self.last_moment)

    async def body(self, until: float | None) -> bool:
        """Waits until the body is complete, or over; False where `until` comes first."""
        return await self._until(self._is_body_over, until)

    def _is_body_over(self) -> bool:
        cycle = self.cycle
        return self.returned or cycle.whole_body is not None or cycle.is_over

    def failure(self) -> BaseException:
        """Why there is no answer, or no more of it, from an app that returned."""
        self._is_failure_told = True
        if self._error is not None:
            return self._error
        which = "starting" if self.cycle.head is None else "completing"
        return IncompleteResponse(f"ASGI callable returned without {which} response.")

    def earliest(self, until: float | None) -> float | None:
        """Of this and the last moment."""
        return _earlier(until, self.last_moment)

    @property
    def route(self) -> str | None:
        return framework_route(self._scope)

    def whereabouts(self) -> str:
        return "it is over" if self._task is None else where_it_waits(self._task)

    def is_past_last_moment(self) -> bool:
        return self.last_moment is not None and self._monotonic() >= self.last_moment

    async def deliver(self, until: float | None, write: Write) -> None:
        """The body of a stream; `until` is when it ends in any case."""
        cycle = self.cycle
        try:
            cycle.stream(write)
            in_time = await self.body(self.earliest(until))
            if not in_time and cycle.has_ended:  # all that is left is on its way to the socket
                in_time = await self.body(None)
            if cycle.is_complete:
                return
            if cycle.lost is not None:
                await self._end_app(GRACE_SECONDS)
                raise cycle.lost
            if in_time:
                cycle.disconnect(EndReason.FAILED)
                raise self.failure()
            if self.is_past_last_moment():
                cycle.disconnect(EndReason.DEADLINE)
                await self._end_app(GRACE_SECONDS, self._margin_seconds)
                raise DeadlineReached("the stream was cut off before the function's deadline")
            cycle.disconnect(EndReason.MAX_STREAM)
            if cycle.head is None or not cycle.head.is_event_stream:
                await self._end_app(GRACE_SECONDS)
                raise StreamTooLong("the body was cut off after max_stream_seconds")
            await write.end()
        except asyncio.CancelledError:
            outcome = write.stopped_by or StreamOutcome.SHUTDOWN
            cycle.disconnect(EndReason(outcome.value))
            if not cycle.is_complete:
                await self._end_app(_grace_seconds(outcome))
            raise

    async def deliver_whole(self, write: Write) -> None:
        await write(self.cycle.whole_body or b"")

    # How the app ends

    async def terminate(self) -> None:
        """SIGTERM came before there was an answer."""
        self.cycle.disconnect(EndReason.SHUTDOWN)
        try:
            await self._end_app(_grace_seconds(StreamOutcome.SHUTDOWN))
        finally:
            self._end(StreamOutcome.SHUTDOWN)

    async def finish(self, outcome: StreamOutcome, _error: BaseException | None) -> None:
        """After the answer: background work, within its bounds, and the end of the app."""
        cycle = self.cycle
        try:
            is_whole = cycle.whole_body is not None or cycle.is_bodiless
            if is_whole and outcome is not StreamOutcome.SHUTDOWN:
                cycle.delivered(outcome)
            elif not cycle.is_over:
                cycle.disconnect(_end_reason(outcome))
            if cycle.is_complete and outcome is not StreamOutcome.SHUTDOWN:
                await self._background()
            else:
                await self._end_app(_grace_seconds(outcome))
            while not self.returned:
                await self._cancel(GRACE_SECONDS)
        except asyncio.CancelledError:  # SIGTERM
            await self._cancel(_grace_seconds(StreamOutcome.SHUTDOWN))
            raise
        finally:
            self._end(outcome)

    async def _background(self) -> None:
        if self.returned:
            return
        bound = None
        if self._background_seconds is not None:
            bound = self._monotonic() + self._background_seconds
        if self._has_endless_body():
            bound = _earlier(bound, self._monotonic() + GRACE_SECONDS)
        if not await self._until(self._has_returned, _earlier(bound, self.last_moment)):
            logger.warning("the app's work after its answer took too long and is cancelled")
            await self._cancel(_CLEAN_UP_SECONDS)

    def _has_endless_body(self) -> bool:
        """Whether the app goes on with an event stream that nobody gets: of a HEAD request."""
        head = self.cycle.head
        return head is not None and head.is_event_stream and not self.cycle.has_ended

    async def _end_app(self, grace_seconds: float, seconds_left: float = math.inf) -> None:
        """Lets the app notice that its answer is over, then cancels it."""
        grace_seconds = min(grace_seconds, seconds_left / 2)
        if not await self._until(self._has_returned, self._monotonic() + grace_seconds):
            await self._cancel(min(_CLEAN_UP_SECONDS, seconds_left / 4))

    async def _cancel(self, seconds: float) -> None:
        """Cancels the app, and waits so long for it."""
        if self._task is None or self.returned:
            return
        self._cancellations += 1
        if self._cancellations == 2:
            logger.error("the app goes on after its cancellation: %s", where_it_waits(self._task))
        self._task.cancel()
        await self._until(self._has_returned, self._monotonic() + seconds)

    def _end(self, outcome: StreamOutcome) -> None:
        # Of background work, or of an app that answers an exception and then raises it, as
        # Starlette does.
        if not self._is_failure_told and (error := self._own_error()) is not None:
            log_failure(logger, "Exception in ASGI application, after its answer", error)
        self._log_other_length()
        reason = self.cycle.end_reason or _end_reason(outcome)
        told("ended", lambda: self._observer.ended(reason))
        self._left_behind.end()
        # Tracebacks and callbacks lead back here: keep no circles of references.
        self._error = self._task = None
        self.cycle.release()

    def _log_other_length(self) -> None:
        cycle = self.cycle
        if not cycle.is_complete or cycle.is_bodiless or cycle.head is None:
            return
        declared = cycle.head.content_length
        sent = len(cycle.whole_body) if cycle.whole_body is not None else cycle.body_bytes
        if declared is not None and declared != sent:
            logger.warning(
                "content-length mismatch: the app said %d and sent %d bytes", declared, sent
            )

    # Waiting

    def _has_returned(self) -> bool:
        return self.returned

    async def _until(self, condition: Callable[[], bool], bound: float | None) -> bool:
        """Waits until the condition holds; False where the bound comes first."""
        loop = asyncio.get_running_loop()
        while not condition():
            seconds = None if bound is None else bound - self._monotonic()
            if seconds is not None and seconds <= 0:
                return False
            changed = self._changed = loop.create_future()
            timer = None if seconds is None else loop.call_later(seconds, self._wake)
            try:
                await changed
            finally:
                self._changed = None
                if timer is not None:
                    timer.cancel()
        return True

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _end_reason(outcome: StreamOutcome) -> EndReason:
    return EndReason(outcome.value)


def _grace_seconds(outcome: StreamOutcome) -> float:
    return _SHUTDOWN_GRACE_SECONDS if outcome is StreamOutcome.SHUTDOWN else GRACE_SECONDS
