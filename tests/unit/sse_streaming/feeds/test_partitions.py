"""Streams of partitions that a client or its identity chooses."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from lambda_streaming.tracing.step import Step, Trace
from lambdas.sse_streaming.feeds.request import StreamFilter
from tests.fakes.feeds import JOBS, make_job, sentiments
from tests.fakes.streams import Received, World, consume
from tests.fakes.virtual_time import run_virtually

ALICE, BOB = StreamFilter(("alice",)), StreamFilter(("bob",))


def seconds(world: World) -> int:
    return world.clock.wall_ms() // 1000


def ids(received: Received) -> list[str]:
    return [str(item["job_id"]) for item in received.items]


def test_a_job_is_an_event_with_all_its_attributes_and_its_latency() -> None:
    async def scenario() -> Received:
        world = World(0, JOBS, SSE_MAX_STREAM_SECONDS="10")
        world.index.put(make_job("j", seconds(world) - 3))
        return await consume(world.open(wanted=StreamFilter(("a",)), backfill=1))

    received = run_virtually(scenario())

    assert received.names == ["ready", "job", "end"]
    (item,) = received.items
    assert {**item, "timestamp": 0} == {
        "job_id": "j",
        "tenant": "a",
        "timestamp": 0,
        "status": "running",
        "latency_ms": item["latency_ms"],
    }
    assert 3000 <= item["latency_ms"] < 5000


def test_a_stream_reads_no_partition_but_its_own() -> None:
    async def scenario() -> Received:
        world = World(0, JOBS, SSE_MAX_STREAM_SECONDS="10")

        async def publish() -> None:
            await asyncio.sleep(1)
            world.index.put(make_job("his", seconds(world), "bob"))
            world.index.put(make_job("hers", seconds(world), "alice"))

        received, _ = await asyncio.gather(consume(world.open(wanted=ALICE)), publish())
        return received

    assert ids(run_virtually(scenario())) == ["hers"]


def test_an_id_of_one_partition_in_another_is_a_time_and_nothing_else() -> None:
    """Bob presents Alice's id. He gets his own items since the position, none of hers, and what she
    was sent hides nothing of his. Her own position, presented again, still loses nothing."""

    async def scenario() -> tuple[Received, Received]:
        world = World(0, JOBS, SSE_MAX_STREAM_SECONDS="10")

        async def publish() -> None:
            await asyncio.sleep(1)
            world.index.put(make_job("hers", seconds(world), "alice"))

        first, _ = await asyncio.gather(consume(world.open(wanted=ALICE)), publish())
        assert ids(first) == ["hers"]
        position = first.events[-1].id
        world.index.put(make_job("his", seconds(world), "bob"))
        world.index.put(make_job("hers too", seconds(world), "alice"))
        as_bob = await consume(world.open(position, wanted=BOB))
        as_alice = await consume(world.open(position, wanted=ALICE))
        return as_bob, as_alice

    as_bob, as_alice = run_virtually(scenario())

    assert as_bob.events[0].data["resumed"] is True
    assert ids(as_bob) == ["his"]
    assert ids(as_alice) == ["hers too"]


class PollsNoted(Trace):
    def __init__(self, world: World) -> None:
        super().__init__(None, world.offload)
        self.polls: list[Mapping[str, Any]] = []

    def step_ended(self, step: Step, error: BaseException | None) -> None:
        if step.name == "dynamodb_poll":
            self.polls.append(dict(step.attributes))


@pytest.mark.parametrize("is_fixed", [True, False])
def test_only_fixed_values_are_told_to_a_trace(is_fixed: bool) -> None:
    """What a client or a caller chose may be a person."""

    async def scenario() -> list[Mapping[str, Any]]:
        world = (
            World(SSE_MAX_STREAM_SECONDS="3")
            if is_fixed
            else World(0, JOBS, SSE_MAX_STREAM_SECONDS="3")
        )
        trace = PollsNoted(world)
        wanted = sentiments(("negative", "positive")) if is_fixed else ALICE
        await consume(world.open(trace=trace, wanted=wanted))
        return trace.polls

    polls = run_virtually(scenario())

    told = {"sentiment_type": "negative,positive"} if is_fixed else {}
    assert len(polls) > 1
    for poll in polls:
        counted = {"item_count", "changed_count", "poll_duration_ms", "request_count"}
        assert {name: value for name, value in poll.items() if name not in counted} == told
