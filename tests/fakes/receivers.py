"""The stack's collector and X-Ray daemon alone, in background threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from local_aws.servers.loop_thread import LoopThread
from local_aws.traces.receivers.otlp_behaviour import HEALTHY, Behaviour
from local_aws.traces.receivers.otlp_collector import OtlpCollector, ReceivedRequest
from local_aws.traces.receivers.xray_daemon import XRayDaemon
from local_aws.traces.store import TraceStore


class CollectorThread:
    """A collector in a background thread, with its switches as plain calls."""

    def __init__(self, collector: OtlpCollector, loop: LoopThread) -> None:
        self._collector = collector
        self._loop = loop

    @property
    def endpoint(self) -> str:
        return self._collector.endpoint

    @property
    def requests(self) -> list[ReceivedRequest]:
        return list(self._collector.requests)

    @property
    def spans(self) -> list[Span]:
        return self._collector.spans

    def switch(self, behaviour: Behaviour) -> None:
        self._loop.call(self._collector.switch(behaviour))

    def stop(self) -> None:
        self._loop.call(self._collector.stop())

    def start(self) -> None:
        """Starts again on the same port after `stop`."""
        self._loop.call(self._collector.start())


@contextmanager
def running_collector(
    store: TraceStore | None = None, *, behaviour: Behaviour = HEALTHY
) -> Iterator[CollectorThread]:
    """A collector in a background thread."""
    collector = OtlpCollector(store or TraceStore(), behaviour=behaviour)
    with LoopThread("otlp-collector") as loop:
        loop.call(collector.start())
        try:
            yield CollectorThread(collector, loop)
        finally:
            loop.call(collector.stop())


@contextmanager
def running_daemon(store: TraceStore | None = None) -> Iterator[XRayDaemon]:
    """A daemon in a background thread."""
    daemon = XRayDaemon(store or TraceStore())
    with LoopThread("xray-daemon") as loop:
        loop.call(daemon.start())
        try:
            yield daemon
        finally:
            loop.call(daemon.stop())
