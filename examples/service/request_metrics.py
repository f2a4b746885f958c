"""How long each request took, in CloudWatch's embedded metric format: a JSON line in the log
becomes metrics, and no request to AWS is made for them."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class RequestMetrics:
    """A middleware. Powertools' `log_metrics` would measure until a function returns, which is
    when a stream begins; this one measures to the last byte, and passes each chunk on as it comes.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        namespace: str,
        steady_seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.app = app
        self._namespace = namespace
        self._steady_seconds = steady_seconds
        self._is_cold = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_cold, self._is_cold = self._is_cold, False
        began = self._steady_seconds()
        ended: float | None = None

        async def send_and_notice_the_end(message: Message) -> None:
            nonlocal ended
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                ended = self._steady_seconds()

        try:
            await self.app(scope, receive, send_and_notice_the_end)
        finally:
            seconds = (ended or self._steady_seconds()) - began
            self._write(route_of(scope), seconds, is_cold=is_cold)

    def _write(self, route: str, seconds: float, *, is_cold: bool) -> None:
        metrics = EphemeralMetrics(namespace=self._namespace)
        metrics.add_dimension("route", route)
        metrics.add_metric("RequestDuration", MetricUnit.Seconds, seconds)
        metrics.add_metric("MemoryUsed", MetricUnit.Megabytes, max_rss_mb())
        metrics.add_metric("ColdStart", MetricUnit.Count, int(is_cold))
        metrics.flush_metrics()


def route_of(scope: Scope) -> str:
    """As the app declares it: each dimension's value is billed as metrics of its own, and paths
    are what clients write."""
    return getattr(scope.get("route"), "path", None) or "none"


def max_rss_mb() -> float:
    """The most that the environment ever held; on Linux in KiB (getrusage(2))."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
