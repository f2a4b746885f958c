"""Puts the metrics collected, in batches, from worker threads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from lambda_streaming.clock import Clock
from lambda_streaming.tracing.step import Keep, Trace
from lambdas.sse_streaming.aws.clients import aws_failures
from lambdas.sse_streaming.aws.errors import AwsRefused, AwsUnavailable
from lambdas.sse_streaming.metrics import Metrics
from lambdas.sse_streaming.settings import Settings

MAX_DATUMS_PER_CALL = 1000

_log = logging.getLogger(__name__)


class MetricSink(Protocol):
    """Where metric data goes. Raises AwsUnavailable or AwsRefused."""

    namespace: str

    def put(self, datums: Sequence[Mapping[str, Any]]) -> None: ...


class CloudWatchSink:
    """PutMetricData, MAX_DATUMS_PER_CALL at most in one call. The first call makes the client."""

    def __init__(self, client: Callable[[], Any], namespace: str) -> None:
        self._client = client
        self.namespace = namespace

    def put(self, datums: Sequence[Mapping[str, Any]]) -> None:
        for at in range(0, len(datums), MAX_DATUMS_PER_CALL):
            with aws_failures():
                self._client().put_metric_data(
                    Namespace=self.namespace, MetricData=datums[at : at + MAX_DATUMS_PER_CALL]
                )


class MetricsReporter:
    """Puts the process's metrics while one stream runs, as steps of that stream's trace."""

    def __init__(
        self, settings: Settings, metrics: Metrics, sink: MetricSink, trace: Trace, clock: Clock
    ) -> None:
        self._metrics = metrics
        self._sink = sink
        self._trace = trace
        self._clock = clock
        self._period_seconds = settings.metrics_seconds

    async def put_forever(self) -> None:
        while True:
            await asyncio.sleep(self._period_seconds)
            await self.put()

    async def put(self) -> None:
        """Put what was collected; what CloudWatch could not take is kept for the next time."""
        datums = self._metrics.take(self._clock.wall_ms() / 1000)
        if not datums:
            return
        try:
            async with self._trace.step(
                "cloudwatch_put_metric",
                keep=Keep.LAST,
                metric_count=len(datums),
                namespace=self._sink.namespace,
            ) as step:
                await step.in_thread(lambda: self._put_or_keep(datums))
        except AwsUnavailable as error:
            _log.warning("metrics were not put, kept for the next time: %s", error)
        except AwsRefused as error:
            _log.error("metrics were refused and are lost: %s", error)

    def _put_or_keep(self, datums: Sequence[Mapping[str, Any]]) -> None:
        try:
            self._sink.put(datums)
        except AwsUnavailable:
            # Here, on the worker thread: the task that awaited it may have ended.
            self._metrics.put_back(datums)
            raise
