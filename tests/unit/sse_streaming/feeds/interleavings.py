"""One client on one feed, and everything that can happen to it, at random.

Cuts, clean ends, kills, freezes, throttles and reconnects to other execution environments with
clocks of their own, some of which are wrong by seconds or are set while a stream runs, while
writers write, update, write late and stamp with wrong clocks.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from lambda_streaming.responses import StreamOutcome
from lambdas.sse_streaming.aws.errors import AwsThrottled, AwsUnavailable
from lambdas.sse_streaming.feeds.items import Item
from lambdas.sse_streaming.feeds.position import (
    MAX_HASHES,
    SHORT_HASH_BYTES,
    Position,
    item_hash,
)
from lambdas.sse_streaming.feeds.request import StreamFilter, read_filter
from lambdas.sse_streaming.feeds.schema import FeedSchema
from lambdas.sse_streaming.sentiment import SENTIMENT
from tests.fakes.feeds import JOBS, make_job, sentiments
from tests.fakes.memory_aws import make_item
from tests.fakes.streams import Event, World, parse_block
from tests.fakes.virtual_time import VirtualClock, run_virtually

WRITING_SECONDS = 90.0
CLOCK_STEPS_MS = (-30_000, -9_000, 9_000, 30_000)


@dataclass(frozen=True, slots=True)
class Kind:
    """A schema with what its writers write, and what the client wants of it."""

    schema: FeedSchema
    wanted: StreamFilter
    make: Callable[[str, int, Random], Item]
    promises: Callable[[Mapping[str, Any]], bool]
    longest_lag_ms: int
    """With writers' clocks 4 s off, environments' clocks 0.7 s off, and stamps cut to the unit, it
    has to fit into the overlap."""

    def key_of(self, data: Mapping[str, Any]) -> tuple[str, int]:
        return data[self.schema.item_id], data[self.schema.time] * self.schema.ms_per_unit

    def is_named(self, key: tuple[str, int], hashes: Collection[bytes]) -> bool:
        """Whether an id that carries these hashes says that the item was sent."""
        item_id, published_at_ms = key
        names = [item_id]
        if self.schema.fixed_values is None:
            names = [f"{partition}\0{item_id}" for partition in self.wanted.partitions]
        return any(item_hash(name, published_at_ms)[:SHORT_HASH_BYTES] in hashes for name in names)


def _make_sentiment(item_id: str, stamp_ms: int, random: Random) -> Item:
    return make_item(item_id, stamp_ms, random.choice(("positive", "neutral", "negative")))


def _make_job(item_id: str, stamp_ms: int, random: Random) -> Item:
    tenant = random.choice(("a", "a", "b", "c", "somebody else"))
    return make_job(item_id, stamp_ms // 1000, tenant, random.choice(("queued", "running", "done")))


KINDS = {
    "sentiment": Kind(SENTIMENT, sentiments(), _make_sentiment, lambda data: True, 4500),
    "jobs": Kind(
        JOBS,
        read_filter(JOBS, {"tenant": "a,b,c", "status": "running,done"}),
        _make_job,
        lambda data: data["tenant"] in ("a", "b", "c") and data["status"] in ("running", "done"),
        3500,
    ),
}


@dataclass(slots=True)
class Client:
    """What one client has, and what it remembers."""

    kind: Kind
    last_id: str | None = None
    delivered: Counter[tuple[str, int]] = field(default_factory=Counter)
    this_connection: set[tuple[str, int]] = field(default_factory=set)
    must_not_repeat: set[tuple[str, int]] = field(default_factory=set)
    forgotten: set[tuple[str, int]] = field(default_factory=set)
    """Delivered by a connection whose window neither its id nor a record kept. Later connections
    know of it what they send again, and of the rest nothing."""
    problems: list[str] = field(default_factory=list)
    was_ready: asyncio.Event = field(default_factory=asyncio.Event)

    def connect(self) -> None:
        self.this_connection = set()

    def take(self, event: Event) -> None:
        self.last_id = event.id
        if event.name == "ready":
            self.was_ready.set()
        if event.name == "reset":
            self.problems.append(f"reset: {event.data['reason']}")
        if event.name != self.kind.schema.event:
            return
        if not self.kind.promises(event.data):
            self.problems.append(f"not asked for: {event.data}")
        key = self.kind.key_of(event.data)
        if key in self.this_connection:
            self.problems.append(f"{key} twice within one connection")
        if key in self.must_not_repeat:
            self.problems.append(f"{key} again, although its position could tell")
        self.this_connection.add(key)
        self.forgotten.discard(key)
        self.delivered[key] += 1

    def forget_but(self, position: Position) -> None:
        """The next connection knows what this position says, and no more."""
        settled_ms = 0 if position.fresh is not None else position.settled_ms
        self.forgotten.update(
            key
            for key in self.delivered
            if key[1] >= settled_ms and not self.kind.is_named(key, position.hashes)
        )


class Writers:
    """Write, update, write late, and stamp with clocks up to 4 s off, for a while."""

    def __init__(self, world: World, random: Random, kind: Kind) -> None:
        self._world = world
        self._kind = kind
        self._random = random
        self._rate = random.choice((0.05, 0.5, 2.0, 8.0, 20.0))
        self.last_versions: dict[str, int] = {}
        self.promised: dict[str, int] = {}

    async def write(self) -> None:
        random, world = self._random, self._world
        number = 0
        while world.loop.time() < WRITING_SECONDS:
            await asyncio.sleep(min(random.expovariate(self._rate), 20))
            now_ms = world.clock.wall_ms()
            stamp = now_ms + random.choice((0, 0, 0, -4000, 4000, 1500, -1500))
            lag_ms = random.choice((0, 0, 0, 50, 300, 2000, self._kind.longest_lag_ms))
            if self.last_versions and random.random() < 0.1:
                item_id = random.choice(list(self.last_versions))
                stamp = max(stamp, self.last_versions[item_id] + self._kind.schema.ms_per_unit)
            else:
                number += 1
                item_id = f"i{number}"
            item = self._kind.make(item_id, stamp, random)
            world.index.put(item, now_ms + lag_ms)
            self.last_versions[item_id] = item.published_at_ms
            self.promised.pop(item_id, None)  # it leaves the index, seen or not
            if self._kind.promises(
                {name: value.get("S") for name, value in item.attributes.items()}
            ):
                self.promised[item_id] = item.published_at_ms


def problems_of(seeds: range, name: str) -> dict[int, list[str]]:
    """What went wrong in the runs of these seeds, by seed; the first few of each."""
    found = ((seed, run_virtually(_run(seed, KINDS[name]))) for seed in seeds)
    return {seed: problems[:5] for seed, problems in found if problems}


async def _run(seed: int, kind: Kind) -> list[str]:
    random = Random(seed)
    world = World(seed, kind.schema, SSE_MAX_STREAM_SECONDS="30", SSE_POLL_MAX_SECONDS="3")
    # A source of its own, so that the seeds which failed once go on meaning what they meant.
    clock_faults = Random(-seed - 1)
    client, writers = Client(kind), Writers(world, random, kind)
    outages = [(start, start + random.uniform(0.5, 12)) for start in random.sample(range(90), 3)]

    def fail() -> None:
        if any(start < world.loop.time() < stop for start, stop in outages):
            kind = random.choice((AwsThrottled, AwsUnavailable))
            raise kind("Injected", "by the test")

    world.index.fail = world.connections.fail = fail
    world.aws_latency_seconds = lambda: random.choice((0.002, 0.01, 0.01, 0.2, 1.0))

    async def write_once_somebody_listens() -> None:
        await client.was_ready.wait()
        await writers.write()

    writing = asyncio.create_task(write_once_somebody_listens())
    ghosts: list[asyncio.Task[None]] = []
    drained_at = WRITING_SECONDS + 65
    while world.loop.time() < drained_at:
        await _connect_once(world, random, clock_faults, client, ghosts, is_last=writing.done())
        await asyncio.sleep(random.choice((0.2, 0.5, 1.0, 3.0, 20.0)))
    await writing
    for ghost in ghosts:
        ghost.cancel()
    await asyncio.gather(*ghosts, return_exceptions=True)
    lost = [item for item in writers.promised.items() if item not in client.delivered]
    return client.problems + [f"lost {item}" for item in lost[:5]]


def _set_wrongly_for_a_while(
    clock: VirtualClock, loop: asyncio.AbstractEventLoop, random: Random
) -> None:
    """One environment in three: before, at or after the beginning of its stream."""
    if random.random() > 1 / 3:
        return
    step_ms = random.choice(CLOCK_STEPS_MS)
    begins, ends = sorted(random.uniform(-10, 30) for _ in range(2))
    for at_seconds, by_ms in ((begins, step_ms), (ends, -step_ms)):
        if at_seconds <= 0:
            clock.set_wall(by_ms)
        else:
            loop.call_later(at_seconds, clock.set_wall, by_ms)


async def _connect_once(
    world: World,
    random: Random,
    clock_faults: Random,
    client: Client,
    ghosts: list[asyncio.Task[None]],
    *,
    is_last: bool,
) -> None:
    """One connection to some environment, ended by itself, a cut, a kill, or a freeze."""
    clock = VirtualClock(world.loop, skew_ms=random.choice((0, 0, -700, 700)))
    _set_wrongly_for_a_while(clock, world.loop, clock_faults)
    stream = world.open(
        client.last_id,
        process=world.process(clock),
        wanted=client.kind.wanted,
        requested_ms=world.clock.wall_ms(),
    )
    client.connect()
    fate = "end" if is_last else random.choice(("end", "end", "cut", "kill", "cancel", "freeze"))
    strikes_at = world.loop.time() + random.uniform(0, 30)
    body = stream.body()
    last: Event | None = None
    connection_id = ""
    async for block in body:
        event = parse_block(block)
        if fate == "freeze" and world.loop.time() > strikes_at:
            fate = "end"
            await asyncio.sleep(random.uniform(1, 15))
        if fate in ("cut", "kill") and world.loop.time() > strikes_at:
            break  # this block and all that follow never reach the client
        if event is not None and event.name == "ready":
            connection_id = event.data["connection_id"]
        if fate == "cancel" and world.loop.time() > strikes_at and connection_id:
            world.connections.cancel(connection_id)
            fate = "end"
        if event is not None:
            client.take(event)
            last = event
    else:
        await stream.finish(StreamOutcome.COMPLETED, None)
        if last is not None and last.name == "end":
            is_clean = _keeps_its_window(world, last)
            if not is_clean:
                client.forget_but(world.codec.read(last.id))
            client.must_not_repeat = set(client.delivered) - client.forgotten if is_clean else set()
        return
    client.must_not_repeat = _safe_after_cut(world, client) - client.forgotten
    if fate == "kill":
        await body.aclose()  # its lease stays until it runs out
        return

    async def run_on_unheard() -> None:
        async for _ in body:
            pass
        await stream.finish(StreamOutcome.COMPLETED, None)

    ghosts.append(asyncio.create_task(run_on_unheard()))


def _keeps_its_window(world: World, last: Event) -> bool:
    """Whether nothing may repeat: the id carries the window, or the session's record does."""
    if last.data["reason"] in ("error", "evicted", "superseded"):
        return False
    position = world.codec.read(last.id)
    return position.has_record or (position.fresh is None and len(position.hashes) < MAX_HASHES)


def _safe_after_cut(world: World, client: Client) -> set[tuple[str, int]]:
    """What may not come again after a cut: everything while the last id had room for its window,
    else what was published before its position."""
    if client.last_id is None:
        return set()
    position = world.codec.read(client.last_id)
    if position.fresh is not None or position.has_record:
        client.forget_but(position)
        return set()
    if len(position.hashes) < MAX_HASHES:
        return set(client.delivered)
    client.forget_but(position)
    return {key for key in client.delivered if key[1] < position.settled_ms}
