"""Which segment and subsegment the X-Ray SDK finds, by invocation, task and thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from aws_xray_sdk.core.models.dummy_entities import DummySegment
from aws_xray_sdk.core.models.subsegment import Subsegment

from lambda_streaming.tracing.invocations import Invocations
from lambda_streaming.tracing.xray_context import XRayContext
from tests.fakes.spans import PARENT_ID, ROOT, SAMPLED


class World:
    def __init__(self) -> None:
        self.invocations = Invocations()
        self.context = XRayContext(self.invocations)

    def put(self, name: str) -> Subsegment:
        """Begin a subsegment as the recorder does."""
        entity = self.context.get_trace_entity()
        subsegment = Subsegment(name, "local", getattr(entity, "parent_segment", entity))
        self.context.put_subsegment(subsegment)
        return subsegment

    def put_in_a_bare_thread(self) -> Subsegment:
        found: list[Subsegment] = []
        thread = threading.Thread(target=lambda: found.append(self.put("in a thread")))
        thread.start()
        thread.join()
        return found[0]


@pytest.fixture
def world() -> World:
    return World()


async def in_an_invocation(world: World, run: Callable[[], Any], header: str = SAMPLED) -> Any:
    async def invocation() -> Any:
        world.invocations.begin("request", header)
        try:
            return run()
        finally:
            world.invocations.end()

    return await asyncio.create_task(invocation())


async def test_a_subsegment_hangs_under_lambdas_segment(world: World) -> None:
    subsegment = await in_an_invocation(world, lambda: world.put("first"))

    assert (subsegment.trace_id, subsegment.parent_id) == (ROOT, PARENT_ID)


async def test_subsegments_nest_and_end_innermost_first(world: World) -> None:
    def run() -> None:
        outer, inner = world.put("outer"), world.put("inner")
        assert inner.parent_id == outer.id
        assert world.context.end_subsegment()
        assert world.context.get_trace_entity() is outer
        assert world.context.end_subsegment()
        assert not world.context.end_subsegment(), "none is left"

    await in_an_invocation(world, run)


async def test_a_retry_repeats_the_root_under_a_new_parent(world: World) -> None:
    await in_an_invocation(world, lambda: world.put("first try"))
    retried = SAMPLED.replace(PARENT_ID, "a" * 16)
    again = await in_an_invocation(world, lambda: world.put("second try"), retried)

    assert (again.trace_id, again.parent_id) == (ROOT, "a" * 16)


async def test_a_task_may_outlive_the_subsegment_around_it(world: World) -> None:
    async def invocation() -> tuple[Subsegment, Subsegment]:
        world.invocations.begin("request", SAMPLED)
        outer = world.put("handler")
        may_go_on = asyncio.Event()

        async def task() -> Subsegment:
            await may_go_on.wait()
            return world.put("late")

        running = asyncio.create_task(task())
        world.context.end_subsegment()
        may_go_on.set()
        return outer, await running

    outer, late = await asyncio.create_task(invocation())
    assert late.parent_id == PARENT_ID
    assert late not in outer.subsegments


async def test_a_thread_without_a_context_joins_the_only_invocation(world: World) -> None:
    subsegment = await in_an_invocation(world, world.put_in_a_bare_thread)

    assert (subsegment.trace_id, subsegment.parent_id) == (ROOT, PARENT_ID)


async def test_a_thread_without_a_context_joins_none_of_several(world: World) -> None:
    async def invocation() -> Subsegment:
        world.invocations.begin("other", SAMPLED)
        found: Subsegment = await in_an_invocation(world, world.put_in_a_bare_thread)
        world.invocations.end()
        return found

    assert (await asyncio.create_task(invocation())).parent_id is None


@pytest.mark.parametrize("header", ["", "Root=1-2-3", SAMPLED.replace(f"Parent={PARENT_ID};", "")])
async def test_without_a_usable_header_nothing_is_recorded(world: World, header: str) -> None:
    entity = await in_an_invocation(world, world.context.get_trace_entity, header)

    assert isinstance(entity, DummySegment)
    assert not entity.sampled


def test_outside_an_invocation_nothing_is_recorded(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK's own context warns of each AWS request that is made while a module is imported."""
    world.put("at import")

    assert isinstance(world.context.get_trace_entity(), DummySegment)
    assert caplog.messages == []


async def test_an_entity_that_code_sets_is_the_current_one(world: World) -> None:
    def run() -> None:
        outer = world.put("outer")
        world.context.clear_trace_entities()
        world.context.set_trace_entity(outer)
        assert world.put("inner").parent_id == outer.id

    await in_an_invocation(world, run)
