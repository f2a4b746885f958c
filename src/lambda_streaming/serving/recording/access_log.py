"""One line of JSON for each request, when its answer is over. No query and no header's value is in
it: they may be secrets."""

from __future__ import annotations

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
    """`steady_seconds` is a clock that never steps."""

    def __init__(self, steady_seconds: Callable[[], float]) -> None:
        self._steady_seconds = steady_seconds
        self._log = logging.getLogger(LOGGER)
        if self._log.level == logging.NOTSET:
            self._log.setLevel(logging.INFO)  # the root logger's is WARNING on Lambda

    def begin(self) -> float:
        return self._steady_seconds()

    def logged(self, answer: Answer, request: Request, door: str, began: float) -> Answer:
        """The answer, which writes its line when it is over."""
        if not self._log.isEnabledFor(logging.INFO):
            return answer
        facts: dict[str, object] = {
            "method": request.method,
            "path": answer.route or shortened(request.path),
            "status": answer.status,
            "door": door,
            "first_ms": self._ms_since(began),
        }
        if isinstance(answer, Response):
            facts["bytes"] = len(encoded(answer.body))
        inner = answer.finish

        async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
            facts["total_ms"] = self._ms_since(began)
            facts["outcome"] = outcome.value
            try:
                if inner is not None:
                    await inner(outcome, error)
            finally:
                self._log.info(to_json(facts))

        return changed(answer, finish=finish)

    def _ms_since(self, began: float) -> float:
        return round((self._steady_seconds() - began) * 1000, 3)
