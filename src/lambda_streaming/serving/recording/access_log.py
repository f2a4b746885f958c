"""One line of JSON for each request, when its answer is over. No query, no header's value and no
raw path is in it: they may be secrets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from lambda_streaming.requests import Request
from lambda_streaming.responses import Response, StreamingResponse, StreamOutcome, changed
from lambda_streaming.runtime.framing import encoded
from lambda_streaming.serving.recording.routes import shortened
from lambda_streaming.sse import to_json

Answer = TypeVar("Answer", bound=Response | StreamingResponse)

LOGGER = "lambda_streaming.access"


class AccessLog:
    """`steady_seconds` is a clock that never steps. `level` is the one that the function's
    environment asks for, if it does."""

    def __init__(self, steady_seconds: Callable[[], float], level: str | None = None) -> None:
        self._steady_seconds = steady_seconds
        self._log = logging.getLogger(LOGGER)
        if self._log.level == logging.NOTSET:
            # Without a wish the root logger's is WARNING on Lambda.
            wanted = logging.getLevelNamesMapping().get((level or "").upper(), logging.INFO)
            self._log.setLevel(wanted)

    def begin(self, door: str) -> Line:
        return Line(self._log, self._steady_seconds, door)


class Line:
    """What is said of one request. `request` is None where it could not be read."""

    def __init__(self, log: logging.Logger, steady_seconds: Callable[[], float], door: str) -> None:
        self._log = log
        self._steady_seconds = steady_seconds
        self._door = door
        self._began = steady_seconds()
        self.request: Request | None = None

    def of(self, answer: Answer) -> Answer:
        """The answer, which writes the line when it is over."""
        if not self._log.isEnabledFor(logging.INFO):
            return answer
        facts = self._facts(answer.route, answer.status)
        facts["first_ms"] = self._ms()
        if isinstance(answer, Response):
            facts["bytes"] = len(encoded(answer.body))
        inner = answer.finish

        async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
            facts["total_ms"] = self._ms()
            facts["outcome"] = outcome.value
            try:
                if inner is not None:
                    await inner(outcome, error)
            finally:
                self._log.info(to_json(facts))

        return changed(answer, finish=finish)

    def unanswered(self, error: BaseException) -> None:
        """Writes the line of a request that an error leaves without an answer of the app's."""
        if self._log.isEnabledFor(logging.INFO):
            is_shutdown = isinstance(error, asyncio.CancelledError)
            outcome = StreamOutcome.SHUTDOWN if is_shutdown else StreamOutcome.FAILED
            facts = {**self._facts(None, None), "total_ms": self._ms(), "outcome": outcome.value}
            self._log.info(to_json(facts))

    def _facts(self, route: str | None, status: int | None) -> dict[str, object]:
        request = self.request
        return {
            "method": None if request is None else request.method,
            "path": route or (None if request is None else shortened(request.path)),
            "status": status,
            "door": self._door,
        }

    def _ms(self) -> float:
        return round((self._steady_seconds() - self._began) * 1000, 3)
