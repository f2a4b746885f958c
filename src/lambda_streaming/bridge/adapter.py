"""An ASGI app as what answers requests: one Request in, one Result out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from lambda_streaming.bridge.call import Call
from lambda_streaming.bridge.cycle import Head
from lambda_streaming.bridge.left_behind import LeftBehind
from lambda_streaming.bridge.observer import EndReason, NoObserver, Observe, Observer, told
from lambda_streaming.bridge.scope import http_scope
from lambda_streaming.bridge.types import AsgiApp
from lambda_streaming.durations import check_seconds
from lambda_streaming.failure_answers import deadline_passed, json_error, server_error
from lambda_streaming.requests import Request
from lambda_streaming.responses import (
    BUFFERED_LIMIT_BYTES,
    EVENT_STREAM_SECONDS,
    PushedBody,
    Response,
    StreamingResponse,
    changed,
)
from lambda_streaming.runtime.error_report import log_failure
from lambda_streaming.runtime.invocation import deadline_of, margin_before

logger = logging.getLogger(__name__)

_LARGE_BODY_BYTES = 1024 * 1024
"""From here on a slow client keeps the end of a body waiting, in which it may stall."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take.

    `background_seconds` bounds the work after an answer; everything ends
    `deadline_margin_seconds` before the deadline. `max_stream_seconds` bounds a body that is
    streamed: None means 300 for text/event-stream, which ends cleanly then, and nothing for others,
    whose end is an error.
    """

    background_seconds: float | None = None
    deadline_margin_seconds: float = 2.0
    stall_seconds: float = 30.0
    max_stream_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.background_seconds is not None:
            check_seconds("background_seconds", self.background_seconds, may_be_zero=True)
        check_seconds("deadline_margin_seconds", self.deadline_margin_seconds, may_be_zero=True)
        check_seconds("stall_seconds", self.stall_seconds)
        if self.max_stream_seconds is not None:
            check_seconds("max_stream_seconds", self.max_stream_seconds)


class AsgiAdapter:
    """`state` is what lifespan's start-up made, for every request's scope.

    The app runs in a task of its own, which is over when `finish` of the Result returns, and
    before what is raised here is raised.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        state: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        observe: Observe | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._state = {} if state is None else state
        self._limits = limits or Limits()
        self._observe = observe or _unobserved
        self._monotonic = monotonic
        self._left_behind = LeftBehind()

    async def stream(self, request: Request) -> Response | StreamingResponse:
        """The answer for a front door that streams. Cancelling it (SIGTERM) ends the app."""
        call, observer = self._start(request)
        try:
            in_time = await call.head()
        except BaseException:
            await call.terminate()
            raise
        cycle = call.cycle
        head = cycle.head
        if head is None or not cycle.is_head_due:
            return self._replaced(request, call, observer, in_time)
        told("head_sent", lambda: observer.head_sent(head.status))
        whole_body = b"" if cycle.is_bodiless else cycle.whole_body
        if whole_body is not None and len(whole_body) <= _LARGE_BODY_BYTES:
            return _whole(whole_body, head, call)
        body: PushedBody = call.deliver_whole
        opening = b""
        if whole_body is None:
            body = partial(call.deliver, self._stream_bound(head))
            opening = cycle.take_opening()
        return StreamingResponse(
            body,
            head.status,
            head.headers,
            head.cookies,
            call.finish,
            self._limits.stall_seconds,
            call.last_moment,
            route=call.route,
            opening=opening,
        )

    async def buffer(
        self, request: Request, *, limit_bytes: int = BUFFERED_LIMIT_BYTES
    ) -> Response:
        """The answer, with all of its body, for a front door that cannot stream.

        Cancelling it (SIGTERM) ends the app.
        """
        call, observer = self._start(request)
        cycle = call.cycle
        try:
            in_time = await call.head()
            if cycle.is_head_due and cycle.head is not None and not cycle.is_bodiless:
                cycle.collect(limit_bytes)
                in_time = await call.body(call.earliest(self._stream_bound(cycle.head)))
        except BaseException:
            await call.terminate()
            raise
        head = cycle.head
        if not in_time and not call.is_past_last_moment() and head is not None:
            if not head.is_event_stream:
                return self._too_long(request, call, observer)
            cycle.cut_off(EndReason.MAX_STREAM)
        whole_body = b"" if cycle.is_bodiless else cycle.whole_body
        if whole_body is not None and len(whole_body) > limit_bytes:
            cycle.disconnect(EndReason.TOO_LARGE)
        if cycle.end_reason is EndReason.TOO_LARGE:
            return self._too_large(request, call, observer, limit_bytes)
        if head is None or not cycle.is_head_due or whole_body is None:
            return self._replaced(request, call, observer, in_time)
        told("head_sent", lambda: observer.head_sent(head.status))
        return _whole(whole_body, head, call)

    def _start(self, request: Request) -> tuple[Call, Observer]:
        try:
            observer = self._observe(request)
        except Exception as error:
            log_failure(logger, "the observer of a request cannot be made", error)
            observer = NoObserver()
        deadline = deadline_of(request.context, self._monotonic())
        scope = http_scope(request, state=self._state, deadline=deadline)
        told("began", lambda: observer.began(scope))
        margin_seconds = self._limits.deadline_margin_seconds
        if deadline is not None:
            margin_seconds = margin_before(deadline, self._monotonic(), margin_seconds)
        call = Call(
            self._app,
            scope,
            request.body,
            observer=observer,
            left_behind=self._left_behind,
            last_moment=None if deadline is None else deadline - margin_seconds,
            margin_seconds=margin_seconds,
            background_seconds=self._limits.background_seconds,
            monotonic=self._monotonic,
        )
        call.start()
        return call, observer

    def _stream_bound(self, head: Head) -> float | None:
        seconds = self._limits.max_stream_seconds
        if seconds is None and head.is_event_stream:
            seconds = EVENT_STREAM_SECONDS
        return None if seconds is None else self._monotonic() + seconds

    def _replaced(
        self, request: Request, call: Call, observer: Observer, in_time: bool
    ) -> Response:
        """The answer in place of one that failed, or did not begin in time."""
        if in_time:
            log_failure(logger, "Exception in ASGI application", call.failure())
            answer = server_error(request)
            call.cycle.disconnect(EndReason.FAILED)
        else:
            logger.error("the app did not answer before the deadline: %s", call.whereabouts())
            answer = deadline_passed(request)
            call.cycle.disconnect(EndReason.DEADLINE)
        return self._in_place(answer, call, observer)

    def _too_long(self, request: Request, call: Call, observer: Observer) -> Response:
        logger.error("the body did not end within max_stream_seconds: %s", call.whereabouts())
        call.cycle.disconnect(EndReason.MAX_STREAM)
        message = "the app did not end its answer within its max_stream_seconds"
        return self._in_place(json_error(504, "max_stream", message, request), call, observer)

    def _too_large(
        self, request: Request, call: Call, observer: Observer, limit_bytes: int
    ) -> Response:
        detail = (
            f"the body is larger than the {limit_bytes} bytes of a buffered answer: it needs a "
            "Function URL in RESPONSE_STREAM mode, or an API Gateway REST API that streams"
        )
        logger.error("%s", detail)
        return self._in_place(server_error(request, detail), call, observer)

    @staticmethod
    def _in_place(answer: Response, call: Call, observer: Observer) -> Response:
        told("head_sent", lambda: observer.head_sent(answer.status))
        return changed(answer, finish=call.finish, route=call.route)


def _whole(body: bytes, head: Head, call: Call) -> Response:
    return Response(body, head.status, head.headers, head.cookies, call.finish, call.route)


def _unobserved(_request: Request) -> Observer:
    return NoObserver()
