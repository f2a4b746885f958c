"""A machine's wall clock is set, or was wrong all along: nothing is lost, and it is said."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest

from tests.fakes.memory_aws import make_item
from tests.fakes.streams import Received, World, consume, parse_block
from tests.fakes.virtual_time import VirtualClock, run_virtually

STEPS_MS = (-30_000, -9_000, 9_000, 30_000)
WRITING_SECONDS = 40


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client got of what was written while it listened."""

    lost: set[str]
    repeated: int
    names: list[str]


async def write(world: World, random: Random) -> set[str]:
    """Eight items a second that become visible up to 4.5 s late, on right clocks."""
    written: set[str] = set()
    for number in range(8 * WRITING_SECONDS):
        await asyncio.sleep(1 / 8)
        now_ms = world.clock.wall_ms()
        lag_ms = random.choice((0, 0, 300, 4_500))
        world.index.put(make_item(f"i{number}", now_ms, "positive"), now_ms + lag_ms)
        written.add(f"i{number}")
    return written


async def listen(world: World, clock: VirtualClock, *, confirmed: bool) -> Seen:
    """One stream on a machine with this clock, through all of the writing."""
    requested_ms = world.clock.wall_ms() if confirmed else None
    stream = world.open(process=world.process(clock), requested_ms=requested_ms)
    listening = asyncio.create_task(consume(stream))
    await asyncio.sleep(0.1)
    written = await write(world, Random(1))
    received = await listening
    return Seen(
        lost=written - set(received.item_ids),
        repeated=len(received.item_ids) - len(set(received.item_ids)),
        names=received.names,
    )


def set_between(begin: float, end: float, step_ms: int) -> Callable[[World, VirtualClock], None]:
    """The wall clock is wrong by `step_ms` from `begin` to `end` seconds."""

    def schedule(world: World, clock: VirtualClock) -> None:
        if begin <= 0:
            clock.set_wall(step_ms)
        else:
            world.loop.call_later(begin, clock.set_wall, step_ms)
        world.loop.call_later(end, clock.set_wall, -step_ms)

    return schedule


@pytest.mark.parametrize("confirmed", [True, False], ids=["time stamp", "no time stamp"])
@pytest.mark.parametrize("begin", [0, 20], ids=["wrong when it begins", "set during the stream"])
@pytest.mark.parametrize("step_ms", STEPS_MS)
def test_nothing_is_lost_while_the_clock_is_wrong_for_six_seconds(
    step_ms: int, begin: float, confirmed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> Seen:
        world = World(SSE_MAX_STREAM_SECONDS="100")
        clock = VirtualClock(world.loop)
        set_between(begin, begin + 6, step_ms)(world, clock)
        return await listen(world, clock, confirmed=confirmed)

    seen = run_virtually(scenario())

    assert seen.lost == set()
    if confirmed:
        assert seen.repeated == 0
    steps = [line for line in caplog.messages if "clock was set by" in line]
    assert len(steps) == (1 if begin == 0 else 2)
    assert f"{-step_ms:+d} ms" in steps[-1]


@pytest.mark.parametrize("step_ms", STEPS_MS)
def test_a_reconnect_to_another_environment_loses_nothing_of_the_time_before(step_ms: int) -> None:
    """The first environment's clock is wrong when its stream begins, and stays so: its ids must not
    say that what came meanwhile is settled."""

    async def scenario() -> set[str]:
        world = World(SSE_MAX_STREAM_SECONDS="100")
        wrong = VirtualClock(world.loop, skew_ms=step_ms)
        got: set[str] = set()
        last_id: str | None = None
        writing: asyncio.Task[set[str]] | None = None
        body = world.open(process=world.process(wrong), requested_ms=world.clock.wall_ms()).body()
        async for block in body:
            event = parse_block(block)
            if event is not None:
                last_id = event.id
                got |= {event.data["item_id"]} if event.name == "sentiment" else set()
            if event is not None and event.name == "ready":
                writing = asyncio.create_task(write(world, Random(1)))
            if world.loop.time() > 25:
                break
        await body.aclose()
        await asyncio.sleep(3)
        again = await consume(world.open(last_id, requested_ms=world.clock.wall_ms()))
        assert writing is not None
        return await writing - got - set(again.item_ids)

    assert run_virtually(scenario()) == set()


def test_a_position_ahead_of_ones_own_clock_is_read_from_the_present_less_the_overlap(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An id of an environment whose clock nothing contradicted, although it was wrong."""

    async def scenario() -> list[str]:
        world = World(SSE_MAX_STREAM_SECONDS="20")
        ahead = VirtualClock(world.loop, skew_ms=15_000)
        first = await consume(world.open(process=world.process(ahead), deadline=6.0))
        world.index.put(make_item("meanwhile", world.clock.wall_ms()))
        await asyncio.sleep(1)
        return (await consume(world.open(first.events[-1].id))).item_ids

    assert run_virtually(scenario()) == ["meanwhile"]
    assert any("ms ahead of this clock" in line for line in caplog.messages)


def test_two_healthy_machines_differences_repeat_nothing() -> None:
    async def scenario() -> list[str]:
        world = World(SSE_MAX_STREAM_SECONDS="20")
        ahead, behind = (VirtualClock(world.loop, skew_ms=skew) for skew in (900, -900))
        opened = world.open(process=world.process(ahead), deadline=30.0)
        listening = asyncio.create_task(consume(opened))
        for number in range(100):
            await asyncio.sleep(0.1)
            world.index.put(make_item(f"i{number}", world.clock.wall_ms()))
        first = await listening
        again = await consume(world.open(first.events[-1].id, process=world.process(behind)))
        return first.item_ids + again.item_ids

    item_ids = run_virtually(scenario())

    assert len(item_ids) == len(set(item_ids)) == 100


def test_a_step_of_the_wall_clock_moves_no_heartbeat_and_no_end() -> None:
    async def scenario() -> tuple[Received, float]:
        world = World(SSE_MAX_STREAM_SECONDS="60")
        clock = VirtualClock(world.loop)

        world.loop.call_later(20, clock.set_wall, -3_600_000)
        received = await consume(world.open(process=world.process(clock)))
        return received, world.loop.time()

    received, ended_at = run_virtually(scenario())

    beats = [at for at, _ in received.comments]
    assert all(later - earlier <= 15.01 for earlier, later in itertools.pairwise(beats[1:]))
    assert received.events[-1].data["reason"] == "rotate"
    assert 48 <= ended_at <= 60.1
