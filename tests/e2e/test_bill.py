"""What an idle connection costs: an hour at default settings, every request against a real engine,
charged by AWS's rule and added up at the proxy.

The stream runs on virtual time, so that the hour is a few thousand requests and no waiting.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

import pytest

from lambda_streaming.responses import StreamOutcome
from lambdas.sse_streaming.aws.clients import AwsClients, Lazy
from lambdas.sse_streaming.connections.dynamodb import DynamoConnections
from lambdas.sse_streaming.feeds.items import DynamoItemsIndex, ItemsIndex, Page, StartKey
from lambdas.sse_streaming.feeds.position import PositionCodec
from lambdas.sse_streaming.feeds.reader import FeedReader
from lambdas.sse_streaming.feeds.request import StreamRequest
from lambdas.sse_streaming.metrics import Metrics
from lambdas.sse_streaming.sentiment import SENTIMENT
from lambdas.sse_streaming.streams.stream import Streams
from local_aws.data.clients import local_client
from local_aws.data.fault_proxy import FaultProxy
from local_aws.feed.sentiment import declaration
from local_aws.feed.tables import TableNames, create_tables
from local_aws.servers.loop_thread import LoopThread
from tests.absence import missing
from tests.fakes.dynamodb import running_engine
from tests.fakes.feeds import sentiments
from tests.fakes.memory_aws import MemorySink
from tests.fakes.streams import NotingTrace, make_settings, parse_block
from tests.fakes.virtual_time import VirtualClock, run_virtually

T = TypeVar("T")

MAX_READ_UNITS_PER_HOUR = 1_400
MAX_WRITE_UNITS_PER_HOUR = 450
READS = ("Query", "GetItem")
WRITES = ("PutItem", "UpdateItem", "DeleteItem")
OLD_ITEMS = 300


@dataclass(frozen=True, slots=True)
class Till:
    """An engine behind a proxy that adds up what DynamoDB charges."""

    proxy: FaultProxy
    client: Callable[[], Any]
    admin: Any
    sink: MemorySink

    def units(self, operations: tuple[str, ...]) -> float:
        return sum(self.proxy.capacity.total(operation=one) for one in operations)


@dataclass(frozen=True, slots=True)
class Bill:
    reads_per_hour: float
    writes_per_hour: float
    polls: int
    connections: int


class WholeIndex:
    """The mistake that the bill has to show: no lower bound in the key condition."""

    def __init__(self, index: ItemsIndex) -> None:
        self._index = index

    def page(
        self,
        sentiment: str,
        since_ms: int,
        until_ms: int,
        *,
        limit: int,
        start_key: StartKey | None = None,
        newest_first: bool = False,
    ) -> Page:
        return self._index.page(
            sentiment, 0, until_ms, limit=limit, start_key=start_key, newest_first=newest_first
        )


@pytest.fixture(scope="module")
def till() -> Iterator[Till]:
    with running_engine() as engine, _proxy(engine.url) as proxy:
        if not engine.is_exact:
            missing("the stand-in for dynoxide does not charge by AWS's rule")
        admin = local_client("dynamodb", engine.url)
        feed = declaration.SENTIMENT
        create_tables(admin, TableNames.from_environ({}, feed), feed)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)
            environment.setenv("AWS_ACCESS_KEY_ID", "TEST")
            environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
            clients = AwsClients(os.environ, timeout_seconds=10)
            yield Till(proxy, Lazy(lambda: clients.make("dynamodb")), admin, MemorySink())


@contextmanager
def _proxy(engine_url: str) -> Iterator[FaultProxy]:
    proxy = FaultProxy()
    with LoopThread("bill-proxy") as loop:
        loop.call(proxy.start(engine_url))
        try:
            yield proxy
        finally:
            loop.call(proxy.stop())


def test_an_idle_connection_stays_within_its_bill(till: Till, measured: dict[str, str]) -> None:
    """Rotations, renewals and looking for a drain included."""
    bill = measure(till, lambda index: index, 3_600.0)

    measured["an idle connection-hour"] = (
        f"{bill.reads_per_hour:.0f} RRU, {bill.writes_per_hour:.0f} WRU"
        f" ({bill.connections} connections, {bill.polls} polls)"
    )
    assert bill.reads_per_hour <= MAX_READ_UNITS_PER_HOUR
    assert bill.writes_per_hour <= MAX_WRITE_UNITS_PER_HOUR
    assert bill.reads_per_hour > 600, "nothing was polled: the measurement is broken"
    assert bill.connections > 1, "no rotation was measured"


def test_a_poll_that_reads_the_whole_index_would_be_charged_for_it(till: Till) -> None:
    """300 items of half a KB, all older than the stream, are enough to show."""
    bill = measure(till, WholeIndex, 30.0)

    assert bill.reads_per_hour > 5 * MAX_READ_UNITS_PER_HOUR


def measure(till: Till, through: Callable[[ItemsIndex], ItemsIndex], seconds: float) -> Bill:
    """One client, coming back after every rotation, on a feed where nothing happens."""
    _put_old_items(till.admin)
    till.proxy.capacity.clear()
    polls, connections = run_virtually(_watch(till, through, seconds))
    per_hour = 3600 / seconds
    return Bill(till.units(READS) * per_hour, till.units(WRITES) * per_hour, polls, connections)


async def _watch(
    till: Till, through: Callable[[ItemsIndex], ItemsIndex], seconds: float
) -> tuple[int, int]:
    loop = asyncio.get_running_loop()
    process = _process(till, through, VirtualClock(loop))
    last_id: str | None = None
    polls = connections = 0
    while (left := seconds - loop.time()) > 0:
        request = StreamRequest(sentiments(), 0, last_id)
        position_clock, resume = process.read_position(request, is_cold_start=False)
        trace = NotingTrace(_offload)
        stream = process.open(
            request,
            resume,
            trace,
            position_clock,
            deadline=loop.time() + left + process.settings.deadline_margin_seconds,
            is_cold_start=False,
        )
        async for block in stream.body():
            event = parse_block(block)
            last_id = event.id if event is not None else last_id
        await stream.finish(StreamOutcome.COMPLETED, None)
        polls += int(trace.root["polls"])
        connections += 1
        await asyncio.sleep(0.6)  # the retry of a rotation
    assert till.sink.total("PollErrors") == 0
    return polls, connections


def _offload(work: Callable[[], T]) -> Awaitable[T]:
    """Real requests, at once: virtual time must not run on meanwhile."""
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    done.set_result(work())
    return done


def _process(
    till: Till, through: Callable[[ItemsIndex], ItemsIndex], clock: VirtualClock
) -> Streams:
    settings = make_settings()
    random = Random(1)
    index = DynamoItemsIndex(till.client, settings.items_table, settings.items_index, SENTIMENT)
    return Streams(
        schema=SENTIMENT,
        settings=settings,
        clock=clock,
        random=random,
        codec=PositionCodec(
            key=settings.id_key, table=settings.items_table, index=settings.items_index
        ),
        connections=DynamoConnections(
            till.client,
            settings.connections_table,
            max_connections=settings.max_connections,
            lease_seconds=settings.lease_seconds,
            replay_seconds=3600,
            now_seconds=lambda: clock.wall_ms() / 1000,
            random=random,
        ),
        reader=FeedReader(through(index)),
        metrics=Metrics(),
        sink=till.sink,
    )


def _put_old_items(admin: Any) -> None:
    for number in range(OLD_ITEMS):
        admin.put_item(
            TableName="items",
            Item={
                "item_id": {"S": f"old-{number}"},
                "sentiment_type": {"S": ("positive", "neutral", "negative")[number % 3]},
                "published_at": {"N": str(1_700_000_000_000 + number)},
                "headline": {"S": "x" * 500},
            },
        )
