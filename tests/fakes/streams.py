"""Streams on virtual time with AWS in memory: the pure core, driven as the runtime drives it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from lambda_streaming.responses import StreamOutcome
from lambda_streaming.tracing.step import Offload, Scalar, Trace
from lambdas.sse_streaming.feeds.position import PositionCodec
from lambdas.sse_streaming.feeds.reader import FeedReader
from lambdas.sse_streaming.feeds.request import StreamFilter, StreamRequest
from lambdas.sse_streaming.feeds.schema import FeedSchema
from lambdas.sse_streaming.metrics import Metrics
from lambdas.sse_streaming.sentiment import SENTIMENT
from lambdas.sse_streaming.settings import Settings
from lambdas.sse_streaming.streams.stream import Stream, Streams
from tests.fakes.feeds import sentiments
from tests.fakes.memory_aws import MemoryConnections, MemoryIndex, MemorySink
from tests.fakes.memory_table import MemoryTable
from tests.fakes.virtual_time import VirtualClock

T = TypeVar("T")

REQUIRED = {
    "SSE_ITEMS_TABLE": "items",
    "SSE_CONNECTIONS_TABLE": "connections",
    "SSE_ID_KEY": "0123456789abcdef",
    "POWERTOOLS_SERVICE_NAME": "sse-streaming",
    "OTEL_SERVICE_NAME": "sse-streaming",
}


def make_settings(**overrides: str) -> Settings:
    return Settings.from_environ({**REQUIRED, **overrides})


@dataclass(frozen=True, slots=True)
class Event:
    """One block as a client understands it; comments are kept apart."""

    name: str
    id: str
    data: Mapping[str, Any]
    retry_ms: int | None


def parse_block(block: bytes) -> Event | None:
    """None for a comment."""
    text = block.decode()
    if text.startswith(":"):
        return None
    assert text.endswith("\n\n")
    fields: dict[str, str] = {}
    for line in text.rstrip("\n").split("\n"):
        name, _, value = line.partition(": ")
        fields[name] = fields[name] + "\n" + value if name in fields else value
    retry = fields.get("retry")
    return Event(
        fields["event"], fields["id"], json.loads(fields["data"]), int(retry) if retry else None
    )


class NotingTrace(Trace):
    """Records nothing but what the root span would say."""

    def __init__(self, offload: Offload) -> None:
        super().__init__(None, offload)
        self.root: Mapping[str, Scalar] = {}

    def end(self, attributes: Mapping[str, Scalar], **_: Any) -> None:
        self.root = attributes


class World:
    """What all execution environments share, and the means to open streams in them."""

    def __init__(self, seed: int = 0, schema: FeedSchema = SENTIMENT, /, **settings: str) -> None:
        loop = asyncio.get_running_loop()
        self.loop = loop
        self.schema = schema
        self.settings = make_settings(**{"SSE_ITEMS_INDEX": schema.index, **settings})
        self.codec = PositionCodec(
            key=self.settings.id_key,
            table=self.settings.items_table,
            index=self.settings.items_index,
        )
        self.clock = VirtualClock(loop)
        self.random = Random(seed)
        self.index = (
            MemoryIndex(self.clock.wall_ms)
            if schema is SENTIMENT
            else MemoryTable(self.clock.wall_ms, schema, Random(seed))
        )
        self.connections = MemoryConnections(
            self.clock.wall_seconds, self.settings.max_connections, self.settings.lease_seconds
        )
        self.sink = MemorySink()
        self.aws_latency_seconds: Callable[[], float] = lambda: 0.005

    def process(self, clock: VirtualClock | None = None) -> Streams:
        """Another execution environment; another clock is another machine."""
        settings = self.settings
        return Streams(
            schema=self.schema,
            settings=settings,
            clock=clock or self.clock,
            random=self.random,
            codec=self.codec,
            connections=self.connections,
            reader=FeedReader(self.index),
            metrics=Metrics(),
            sink=self.sink,
        )

    def open(
        self,
        last_event_id: str | None = None,
        *,
        process: Streams | None = None,
        wanted: StreamFilter | None = None,
        backfill: int = 0,
        deadline: float | None = None,
        trace: Trace | None = None,
        requested_ms: int | None = None,
    ) -> Stream:
        """`requested_ms`: the front door's time stamp of the request."""
        process = process or self.process()
        request = StreamRequest(wanted or sentiments(), backfill, last_event_id, requested_ms)
        position_clock, resume = process.read_position(request, is_cold_start=False)
        return process.open(
            request,
            resume,
            trace or Trace(None, self.offload),
            position_clock,
            deadline=deadline,
            is_cold_start=True,
        )

    def offload(self, work: Callable[[], T]) -> Awaitable[T]:
        async def later() -> T:
            await asyncio.sleep(self.aws_latency_seconds())
            return work()

        return later()


@dataclass(slots=True)
class Received:
    """What came out of one stream."""

    events: list[Event] = field(default_factory=list)
    comments: list[tuple[float, bytes]] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    @property
    def items(self) -> list[Mapping[str, Any]]:
        """Of the events that are items, of whatever schema."""
        return [event.data for event in self.events if "latency_ms" in event.data]

    @property
    def item_ids(self) -> list[str]:
        return [event.data["item_id"] for event in self.events if event.name == "sentiment"]


async def consume(stream: Stream, received: Received | None = None) -> Received:
    """Drive a stream as the runtime does, to its end."""
    received = received or Received()
    loop = asyncio.get_running_loop()
    outcome = StreamOutcome.COMPLETED
    try:
        async for block in stream.body():
            event = parse_block(block)
            if event is None:
                received.comments.append((loop.time(), block))
            else:
                received.events.append(event)
    except Exception as error:
        received.error, outcome = error, StreamOutcome.FAILED
    await stream.finish(outcome, received.error)
    return received
