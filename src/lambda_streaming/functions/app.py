"""A function of a request as an app.

    async def chat(request: Request) -> EventStream:
        return EventStream(tokens(request.json()["prompt"]))

What it may return, and what becomes of what it raises, is FunctionApp's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol, TypeAlias

from lambda_streaming.concurrency.threads import DaemonThreads
from lambda_streaming.durations import check_seconds
from lambda_streaming.failure_answers import (
    DeadlineReached,
    deadline_passed,
    json_error,
    server_error,
)
from lambda_streaming.functions.collecting import BodyTooLarge, OutOfTime, collected
from lambda_streaming.functions.event_stream import (
    EventStream,
    EventStreamBody,
    Lifetime,
    event_stream_response,
)
from lambda_streaming.functions.producing import BoundedBody
from lambda_streaming.functions.sendable import Answer, sendable
from lambda_streaming.requests import BadRequest, Request
from lambda_streaming.responses import (
    EVENT_STREAM_SECONDS,
    Response,
    StreamingResponse,
    StreamOutcome,
    changed,
)
from lambda_streaming.runtime.error_report import is_cancelled, log_failure, run_guarded
from lambda_streaming.runtime.invocation import deadline_of, margin_before
from lambda_streaming.runtime.invoker import in_thread, is_async
from lambda_streaming.runtime.response_stream import close_body
from lambda_streaming.sse import to_json

logger = logging.getLogger(__name__)

Function: TypeAlias = Callable[[Request], Any]


class Run(Protocol):
    """Runs the function of one request: around this is what its tracing does."""

    async def __call__(self, call: Callable[[], Awaitable[Answer]], request: Request) -> Answer: ...


async def untraced(call: Callable[[], Awaitable[Answer]], request: Request) -> Answer:
    return await call()


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """`max_stream_seconds` bounds an EventStream; other bodies end by themselves."""

    max_stream_seconds: float = EVENT_STREAM_SECONDS
    deadline_margin_seconds: float = 2.0
    stall_seconds: float = 30.0

    def __post_init__(self) -> None:
        check_seconds("max_stream_seconds", self.max_stream_seconds)
        check_seconds("deadline_margin_seconds", self.deadline_margin_seconds, may_be_zero=True)
        check_seconds("stall_seconds", self.stall_seconds)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Of one request. `deadline` is on the event loop's clock."""

    deadline: float | None
    margin_seconds: float

    @property
    def last_moment(self) -> float | None:
        return None if self.deadline is None else self.deadline - self.margin_seconds


class FunctionApp:
    """Answers requests with a function, sync or async. A synchronous one runs on a worker thread.

    It returns a Response, a StreamingResponse, an EventStream, or what becomes JSON. BadRequest is
    answered with 400, any other exception is logged and answered with 500.
    """

    def __init__(
        self, function: Function, limits: StreamLimits, random: Random, run: Run = untraced
    ) -> None:
        self._function = function
        self._is_async = is_async(function)
        self._threads = DaemonThreads("function")
        self._limits = limits
        self._random = random
        self._run = run

    async def stream(self, request: Request) -> Answer:
        bounds = self._bounds(request)
        answer = await self._begun(request, bounds)
        if (
            bounds.last_moment is None
            or not isinstance(answer, StreamingResponse)
            or isinstance(answer.body, EventStreamBody)  # which ends by itself
        ):
            return answer
        body = BoundedBody(answer.body, bounds.last_moment, bounds.margin_seconds / 4)
        return changed(answer, body=body)

    async def buffer(self, request: Request, *, limit_bytes: int) -> Response:
        bounds = self._bounds(request)
        answer = await self._begun(request, bounds)
        if isinstance(answer, Response):
            return answer
        last_moment = bounds.last_moment
        if last_moment is not None:
            last_moment += bounds.margin_seconds / 2  # later than an EventStream's own end
        try:
            return await collected(
                answer,
                limit_bytes=limit_bytes,
                last_moment=last_moment,
                clean_up_seconds=bounds.margin_seconds / 4,
            )
        except OutOfTime as error:
            logger.error("%s", error)
            return changed(deadline_passed(request), finish=error.finish)
        except BodyTooLarge as error:
            logger.error("the answer was not sent: %s", error)
            return server_error(request, str(error))
        except Exception as error:
            log_failure(logger, "the body failed", error)
            return server_error(request)

    async def _begun(self, request: Request, bounds: _Bounds) -> Answer:
        try:
            answer = await self._run(lambda: self._answer(request, bounds), request)
        except DeadlineReached as error:
            logger.error("%s", error)
            return deadline_passed(request)
        except BaseException as error:
            if not isinstance(error, Exception) or is_cancelled(error):
                raise
            log_failure(logger, "the handler failed", error)
            return server_error(request)
        try:
            answer = sendable(answer)
        except (ValueError, TypeError) as error:
            logger.error("the answer was not sent: %s", error)
            await _give_up(answer, error)
            return server_error(request)
        if request.method == "HEAD" and isinstance(answer, StreamingResponse):
            await close_body(answer.body)
            return Response(b"", answer.status, answer.headers, answer.cookies, answer.finish)
        return answer

    async def _answer(self, request: Request, bounds: _Bounds) -> Answer:
        timeout = asyncio.timeout_at(bounds.last_moment)
        try:
            async with timeout:
                result = await self._call(request)
        except Exception as error:
            if timeout.expired():
                raise DeadlineReached(
                    "the function did not return before the invocation's deadline"
                ) from error
            if isinstance(error, BadRequest):
                return json_error(400, error.code, error.message, request)
            raise
        match result:
            case StreamingResponse():
                if result.write_deadline is None:
                    return changed(result, write_deadline=bounds.deadline)
                return result
            case Response():
                return result
            case EventStream():
                limits = self._limits
                lifetime = Lifetime(
                    limits.max_stream_seconds, bounds.deadline, limits.deadline_margin_seconds
                )
                return event_stream_response(
                    result, lifetime, stall_seconds=limits.stall_seconds, random=self._random
                )
        return Response(to_json(result), headers={"content-type": "application/json"})

    async def _call(self, request: Request) -> Any:
        if self._is_async:
            return await self._function(request)
        result = await in_thread(self._threads, lambda: self._function(request))
        return await result if isinstance(result, Awaitable) else result

    def _bounds(self, request: Request) -> _Bounds:
        now = asyncio.get_running_loop().time()  # on the context's clock
        deadline = deadline_of(request.context, now)
        margin_seconds = self._limits.deadline_margin_seconds
        if deadline is not None:
            margin_seconds = margin_before(deadline, now, margin_seconds)
        return _Bounds(deadline, margin_seconds)


async def _give_up(answer: Answer, error: Exception) -> None:
    if isinstance(answer, StreamingResponse):
        await close_body(answer.body)
    if (finish := answer.finish) is not None:
        await run_guarded("finish", lambda: finish(StreamOutcome.FAILED, error))
