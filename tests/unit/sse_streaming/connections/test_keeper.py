"""A connection's slot over its life, on virtual time."""

from __future__ import annotations

import asyncio

import pytest

from lambda_streaming.tracing.step import Trace
from lambdas.sse_streaming.aws.errors import AwsThrottled
from lambdas.sse_streaming.connections.keeper import LeaseKeeper
from lambdas.sse_streaming.connections.lease import AcquireRequest, Lease, Refusal
from lambdas.sse_streaming.endings import EndReason
from tests.fakes.streams import World
from tests.fakes.virtual_time import run_virtually

REQUEST = AcquireRequest("01" * 9, 3, None)


def keeper_of(world: World, request: AcquireRequest = REQUEST) -> LeaseKeeper:
    return LeaseKeeper(world.settings, world.connections, request, Trace(None, world.offload))


async def acquired(keeper: LeaseKeeper) -> Lease:
    lease = await keeper.acquire()
    assert isinstance(lease, Lease)
    return lease


def test_a_lease_is_kept_long_after_it_would_have_run_out() -> None:
    async def scenario() -> int:
        world = World(SSE_MAX_CONNECTIONS="1")
        keeper = keeper_of(world)
        keeping = asyncio.create_task(keeper.keep(await acquired(keeper)))
        await asyncio.sleep(1000)
        keeping.cancel()
        return world.connections.count()

    assert run_virtually(scenario()) == 1


@pytest.mark.parametrize(
    ("reason", "renewals"),
    [
        (EndReason.CANCELLED, 1),
        (EndReason.EVICTED, 1),
        (EndReason.SUPERSEDED, 1),
        (EndReason.DRAIN, 2),
    ],
)
def test_a_renewal_tells_why_the_connection_has_to_end(reason: EndReason, renewals: int) -> None:
    """A drain is looked for with every second one."""

    async def scenario() -> tuple[EndReason, float]:
        world = World(SSE_LEASE_SECONDS="30")
        keeper = keeper_of(world)
        lease = await acquired(keeper)
        until = world.clock.wall_seconds() + 600
        match reason:
            case EndReason.CANCELLED:
                world.connections.cancel(lease.connection_id)
            case EndReason.DRAIN:
                world.connections.drain_until = until
            case EndReason.EVICTED:
                world.connections.slots[0] = (Lease("0.other", 0, "another", 1), until)
            case EndReason.SUPERSEDED:
                world.connections.slots[0] = (Lease("0.next", 0, lease.session_id, 4), until)
        return await keeper.keep(lease), world.loop.time()

    found, seconds = run_virtually(scenario())

    assert found is reason
    assert seconds == pytest.approx(renewals * 10, abs=0.1)


def test_a_renewal_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> EndReason:
        world = World()
        keeper = keeper_of(world)
        lease = await acquired(keeper)
        world.connections.cancel(lease.connection_id)

        def fail() -> None:
            if world.loop.time() < 100:
                raise AwsThrottled("ThrottlingException", "slow down")

        world.connections.fail = fail
        return await keeper.keep(lease)

    assert run_virtually(scenario()) is EndReason.CANCELLED
    assert any("the lease was not renewed" in line for line in caplog.messages)


def test_a_refusal_holds_nothing() -> None:
    async def scenario() -> tuple[Lease | Refusal, LeaseKeeper]:
        world = World(SSE_MAX_CONNECTIONS="1")
        await acquired(keeper_of(world))
        keeper = keeper_of(world)
        refusal = await keeper.acquire()
        await keeper.release()
        assert world.connections.count() == 1
        return refusal, keeper

    refusal, keeper = run_virtually(scenario())

    assert refusal is Refusal.CAPACITY
    assert keeper.session == REQUEST


def test_a_slot_granted_to_a_stream_that_has_ended_is_given_back() -> None:
    async def scenario() -> int:
        world = World()
        world.aws_latency_seconds = lambda: 0.6
        keeper = keeper_of(world)
        acquiring = asyncio.create_task(keeper.acquire())
        await asyncio.sleep(0.1)
        acquiring.cancel()
        await keeper.release()
        assert keeper.lease is not None
        return world.connections.count()

    assert run_virtually(scenario()) == 0
