"""A function of a request as an app: what it may return, and what becomes of what it raises.

async def chat(request: Request) -> EventStream:
    return EventStream(tokens(request.json()["prompt"]))
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol, TypeAlias

from lambda_streaming.failure_answers import deadline_passed, json_error, server_error
from lambda_streaming.functions.collecting import BodyTooLarge, OutOfTime, collected
from lambda_streaming.functions.event_stream import EventStream, Lifetime, event_stream_response
from lambda_streaming.requests import BadRequest, Request
from lambda_streaming.responses import EVENT_STREAM_SECONDS, Response, StreamingResponse
from lambda_streaming.runtime.error_report import is_cancelled, log_failure
from lambda_streaming.runtime.invocation import deadline_of
from lambda_streaming.runtime.invoker import in_thread, is_async
from lambda_streaming.sse import to_json

logger = logging.getLogger(__name__)

Function: TypeAlias = Callable[[Request], Any]
Answer: TypeAlias = Response | StreamingResponse


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
        self._limits = limits
        self._random = random
        self._run = run

    async def stream(self, request: Request) -> Answer:
        try:
            return await self._run(lambda: self._answer(request), request)
        except BaseException as error:
            if not isinstance(error, Exception) or is_cancelled(error):
                raise
            log_failure(logger, "the handler failed", error)
            return server_error(request)

    async def buffer(self, request: Request, *, limit_bytes: int) -> Response:
        answer = await self.stream(request)
        if isinstance(answer, Response):
            return answer
        last_moment = _deadline(request)
        if last_moment is not None:
            # Later than an EventStream's own end. A short timeout is not all margin.
            left_seconds = max(0.0, last_moment - asyncio.get_running_loop().time())
            last_moment -= min(self._limits.deadline_margin_seconds, left_seconds) / 2
        try:
            return await collected(answer, limit_bytes=limit_bytes, last_moment=last_moment)
        except OutOfTime:
            return deadline_passed(request)
        except BodyTooLarge as error:
            logger.error("the answer was not sent: %s", error)
            return server_error(request, str(error))
        except Exception as error:
            log_failure(logger, "the body failed", error)
            return server_error(request)

    async def _answer(self, request: Request) -> Answer:
        try:
            result = await self._call(request)
        except BadRequest as error:
            return json_error(400, error.code, error.message, request)
        match result:
            case StreamingResponse():
                if result.write_deadline is None:
                    return replace(result, write_deadline=_deadline(request))
                return result
            case Response():
                return result
            case EventStream():
                limits = self._limits
                lifetime = Lifetime(
                    limits.max_stream_seconds, _deadline(request), limits.deadline_margin_seconds
                )
                return event_stream_response(
                    result, lifetime, stall_seconds=limits.stall_seconds, random=self._random
                )
        return Response(to_json(result), headers={"content-type": "application/json"})

    async def _call(self, request: Request) -> Any:
        if self._is_async:
            return await self._function(request)
        result = await in_thread(None, lambda: self._function(request))
        return await result if isinstance(result, Awaitable) else result


def _deadline(request: Request) -> float | None:
    """On the event loop's clock, which is the context's."""
    return deadline_of(request.context, asyncio.get_running_loop().time())
