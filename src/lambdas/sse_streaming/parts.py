"""What every stream of a process shares, and what the parts ask of each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from lambda_streaming.clock import Clock
from lambdas.sse_streaming.connections.lease import Connections
from lambdas.sse_streaming.feed.position import PositionCodec
from lambdas.sse_streaming.feed.reader import FeedReader
from lambdas.sse_streaming.metrics import Metrics, MetricSink
from lambdas.sse_streaming.settings import Settings


class Log(Protocol):
    """What Powertools' Logger and logging.Logger have in common."""

    def info(self, msg: object, *args: object, extra: Mapping[str, object]) -> None: ...
    def warning(self, msg: object, *args: object) -> None: ...
    def error(self, msg: object, *args: object) -> None: ...
    def exception(self, msg: object, *args: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What every stream of this process shares; built once at init."""

    settings: Settings
    clock: Clock
    random: Random
    codec: PositionCodec
    connections: Connections
    reader: FeedReader
    metrics: Metrics
    sink: MetricSink
    log: Log
