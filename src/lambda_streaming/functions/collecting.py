"""A streamed answer for a front door that takes only whole ones."""

from __future__ import annotations

import asyncio
import logging

from lambda_streaming.functions.producing import Production
from lambda_streaming.responses import Finish, Response, StreamingResponse, StreamOutcome
from lambda_streaming.runtime.error_report import log_failure
from lambda_streaming.runtime.framing import encoded

logger = logging.getLogger(__name__)

_SHUTDOWN_SECONDS = 0.03
"""For a body's clean-up after SIGTERM, with 120 ms for everything (runtime/termination.py)."""


class BodyTooLarge(Exception):
    """More bytes than the front door takes in one answer."""


class OutOfTime(Exception):
    """The body did not end before the last moment. `finish` is what is to be done after the answer
    in its place."""

    def __init__(self, finish: Finish) -> None:
        super().__init__("the body did not end before the function's deadline")
        self.finish = finish


async def collected(
    response: StreamingResponse,
    *,
    limit_bytes: int,
    last_moment: float | None = None,
    clean_up_seconds: float = 0.5,
) -> Response:
    """The answer with its whole body; `last_moment` is on the event loop's clock, and what the body
    does after it takes `clean_up_seconds` at most.

    A body that goes on after its end does so in `finish`, which is to be called when the answer is
    delivered. Raises OutOfTime; BodyTooLarge and what the body raises, with `finish` done.
    """
    collector = _Collector(limit_bytes, response.opening)
    production = Production(response.body, collector)
    production.task.add_done_callback(lambda _: collector.over.set())

    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        try:
            if not await production.ended(last_moment):
                await production.end()
        except asyncio.CancelledError:  # SIGTERM
            await production.cancel(_SHUTDOWN_SECONDS)
            raise
        finally:
            if error is None and production.error is not None:
                error = production.error
                log_failure(logger, "the work after the body failed", error)
            await _close(production, response, outcome, error)

    try:
        async with asyncio.timeout_at(last_moment):
            await collector.over.wait()
    except TimeoutError:
        await production.cancel(clean_up_seconds)

        async def finish_late(outcome: StreamOutcome, error: BaseException | None) -> None:
            is_sent = outcome is StreamOutcome.COMPLETED
            await finish(StreamOutcome.FAILED if is_sent else outcome, error or late)

        late = OutOfTime(finish_late)
        raise late from None
    except asyncio.CancelledError:
        await production.cancel(_SHUTDOWN_SECONDS)
        await _close(production, response, StreamOutcome.SHUTDOWN, None)
        raise
    if not collector.has_ended and (failure := production.error) is not None:
        await _close(production, response, StreamOutcome.FAILED, failure)
        production.result()
    return Response(
        bytes(collector.body), response.status, response.headers, response.cookies, finish
    )


async def _close(
    production: Production,
    response: StreamingResponse,
    outcome: StreamOutcome,
    error: BaseException | None,
) -> None:
    await production.close()
    if response.finish is not None:
        await response.finish(outcome, error)


class _Collector:
    """The `Write` of a body that is collected. `over` is set when there is no more of it."""

    def __init__(self, limit_bytes: int, opening: bytes) -> None:
        self._limit_bytes = limit_bytes
        self.body = bytearray(opening)
        self.over = asyncio.Event()
        self.has_ended = False
        self.stopped_by: StreamOutcome | None = None

    async def __call__(self, block: bytes | str) -> None:
        if self.has_ended:
            raise RuntimeError("the body has ended: nothing can be written after it")
        self.body += encoded(block)
        if len(self.body) > self._limit_bytes:
            raise BodyTooLarge(
                f"a body of more than {self._limit_bytes} bytes cannot be buffered: stream it"
            )
        await asyncio.sleep(0)  # a body that always has something lets the time pass

    async def end(self) -> None:
        self.has_ended = True
        self.over.set()
