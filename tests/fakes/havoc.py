"""Everything bad that can be done to a running stack, chosen by a seeded random."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import httpx

from local_aws.background import BackgroundStack
from local_aws.data.clients import STACK_ITSELF
from local_aws.data.fault_proxy import FaultProxy
from local_aws.data.faults import (
    INTERNAL_ERROR,
    THROTTLE,
    THROUGHPUT_EXCEEDED,
    UNAVAILABLE,
    Action,
    Delay,
    Drop,
    Duplicate,
    Hang,
    LoseAnswer,
    ProxiedRequest,
    Reorder,
)
from local_aws.feed.drain import mark
from local_aws.lambda_side.environment import Environment, Phase
from local_aws.lambda_side.invocation import Outcome
from local_aws.traces.receivers.otlp_behaviour import HEALTHY, SILENT
from tests.fakes.resuming_client import ResumingClient

_REQUEST_FAULTS: tuple[Action, ...] = (
    THROTTLE,
    THROUGHPUT_EXCEEDED,
    INTERNAL_ERROR,
    UNAVAILABLE,
    Drop(),
    LoseAnswer(),
    Duplicate(),
    Hang(),
    Reorder(0.5),
    Reorder(0.5, holds_request=True),
    Delay(before_seconds=0.2),
    Delay(after_seconds=0.4),
    Delay(after_seconds=0.7),
)
MAX_INDEX_LAG_SECONDS = 0.8


def by_the_function(request: ProxiedRequest) -> bool:
    """Not the stack's own requests, nor those of a test's writers."""
    return request.caller != STACK_ITSELF


def busy_environment(stack: BackgroundStack, path: str) -> Environment | None:
    """The one that runs the latest stream of this path, if it still runs."""
    for invocation in reversed(stack.invocations):
        if path.partition("?")[2] in json.loads(invocation.event)["rawQueryString"]:
            for environment in stack.environments:
                if (
                    environment.number == invocation.environment
                    and environment.phase is Phase.RUNNING
                    and invocation.outcome is Outcome.RUNNING
                ):
                    return environment
            return None
    return None


def send(environment: Environment, number: signal.Signals) -> None:
    """To the process and what it started; one that has gone is no error."""
    try:
        os.killpg(environment.pid, number)
    except ProcessLookupError:
        pass


async def strike_one(
    stack: BackgroundStack, client: ResumingClient, path: str, random: Random
) -> str:
    """One thing that happens to one client or to its execution environment; its name."""
    what = random.choice(
        ("cut", "cut", "cut", "kill", "freeze", "terminate", "cancel", "stall", "half-close")
    )
    environment = busy_environment(stack, path)
    if what == "cut":
        client.cut()
    elif what == "half-close":
        client.half_close()
    elif what == "stall":
        await client.stop_reading_for(random.uniform(0.2, 1.5))
    elif what == "cancel":
        if client.connection_id is not None:
            await _close_route(stack.url, client.connection_id)
    elif environment is not None:
        if what == "kill":
            send(environment, signal.SIGKILL)
        elif what == "terminate":
            send(environment, signal.SIGTERM)
        else:
            send(environment, signal.SIGSTOP)
            try:
                await asyncio.sleep(random.uniform(0.2, 2.0))
            finally:
                send(environment, signal.SIGCONT)
    return what


async def strike_all(
    stack: BackgroundStack, dynamodb: Any, random: Random, done: Counter[str]
) -> None:
    """Faults of the services behind the function, one after the other, until cancelled."""
    try:
        while True:
            await asyncio.sleep(random.uniform(0.2, 0.8))
            kind = random.choice(
                ("dynamodb", "dynamodb", "lag", "cloudwatch", "collector", "drain")
            )
            seconds = random.uniform(0.3, 1.5)
            done[kind] += 1
            if kind == "lag":
                stack.index_lags(random.choice((0.0, 0.2, MAX_INDEX_LAG_SECONDS)))
            elif kind == "drain":
                await asyncio.to_thread(
                    mark, dynamodb, stack.stack.names.connections, until=int(time.time()) + 2
                )
            elif kind == "collector":
                with _silent_collector(stack):
                    await asyncio.sleep(seconds)
            else:
                proxy = stack.dynamodb if kind == "dynamodb" else stack.cloudwatch
                with _faults(proxy, random):
                    await asyncio.sleep(seconds)
    finally:
        stack.back_to_normal()


@contextmanager
def _faults(proxy: FaultProxy, random: Random) -> Iterator[None]:
    rule = proxy.faults.add(
        random.choice(_REQUEST_FAULTS),
        where=by_the_function,
        probability=random.choice((0.3, 0.7, 1.0)),
    )
    try:
        yield
    finally:
        proxy.faults.remove(rule)


@contextmanager
def _silent_collector(stack: BackgroundStack) -> Iterator[None]:
    stack.collector_behaves(SILENT)
    try:
        yield
    finally:
        stack.collector_behaves(HEALTHY)


async def _close_route(url: str, connection_id: str) -> None:
    async with httpx.AsyncClient(timeout=5) as http:
        try:
            await http.post(f"{url}/stream/{connection_id}/close")
        except httpx.HTTPError:
            pass  # the request's own environment was struck
