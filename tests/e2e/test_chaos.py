"""Many streams for a while, execution environments killed all along, the rest rotating.

Loss and repeats are asserted; latency is printed. `make chaos` runs it larger and longer.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from random import Random
from statistics import quantiles
from typing import Any

import httpx
import pytest

from lambdas.sse_streaming.feeds.position import PositionCodec
from local_aws.background import BackgroundStack
from local_aws.data.clients import local_client
from local_aws.feed.drain import mark
from local_aws.lambda_side.environment import Phase
from tests.fakes.feed_writer import FeedWriter
from tests.fakes.havoc import send
from tests.fakes.ledger import Key, Ledger
from tests.fakes.local import local_stack
from tests.fakes.resuming_client import ResumingClient

STREAMS = int(os.environ.get("CHAOS_STREAMS", "12"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "30"))
KILL_SECONDS = float(os.environ.get("CHAOS_KILL_SECONDS", "5"))
LEASE_SECONDS = 6.0
OVERLAP_SECONDS = 10.0
SETTLING_SECONDS = 30.0
OPENING_SECONDS = 60.0
ID_KEY = "0123456789abcdef"
RECORD_LOST = "the record was lost"


class Viewer:
    """One of the streams, and how late it got what."""

    def __init__(
        self, stack: BackgroundStack, number: int, written_at: Mapping[Key, float]
    ) -> None:
        codec = PositionCodec(key=ID_KEY.encode(), table="items", index="by_sentiment")
        self._written_at = written_at
        self._had: set[Key] = set()
        self.latencies: list[float] = []
        self.client = ResumingClient(
            stack.url,
            "/stream",
            Ledger(codec),
            random=Random(number),
            longest_wait_seconds=3.0,
            on_event=self._note,
        )

    def _note(self, name: str, data: Mapping[str, Any]) -> None:
        if name != "sentiment":
            return
        key = (data["item_id"], data["published_at"])
        if key not in self._had:
            self._had.add(key)
            # Its writer may not have had its answer yet.
            self.latencies.append(max(0.0, time.time() - self._written_at.get(key, time.time())))


@pytest.mark.ci
@pytest.mark.timeout(900)
def test_nothing_is_lost_while_environments_are_killed_and_streams_rotate(
    measured: dict[str, str],
) -> None:
    with local_stack(
        LOCAL_CONCURRENCY=str(2 * STREAMS + 5),
        SSE_ID_KEY=ID_KEY,
        SSE_MAX_CONNECTIONS=str(2 * STREAMS),
        SSE_MAX_STREAM_SECONDS="10",
        SSE_POLL_MAX_SECONDS="1",
        SSE_OVERLAP_SECONDS=str(OVERLAP_SECONDS),
        SSE_LEASE_SECONDS=str(LEASE_SECONDS),
        SSE_RETRY_MS="500",
    ) as stack:
        viewers, promised, kills = asyncio.run(_run(stack))
        last_leases_seconds = _until_all_leases_are_free(stack)
        records_lost = sum(RECORD_LOST in line for line in stack.function_log())
        pids = {invocation.environment_pid for invocation in stack.invocations} - {0}

    measured["chaos"] = _report(viewers, promised, kills)
    for viewer in viewers:
        ledger = viewer.client.ledger
        assert ledger.problems == []
        assert promised - set(ledger.delivered) == set()
    assert sum(v.client.ledger.suspect_repeats > 0 for v in viewers) <= records_lost
    assert last_leases_seconds <= LEASE_SECONDS + 2
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []


async def _run(stack: BackgroundStack) -> tuple[list[Viewer], set[Key], int]:
    dynamodb = local_client("dynamodb", stack.dynamodb.url)
    names = stack.stack.names
    writer = FeedWriter(dynamodb, names.items, "ACME", Random(0), 1.0, OVERLAP_SECONDS)
    viewers = [Viewer(stack, number, writer.written_at) for number in range(STREAMS)]
    connecting = [asyncio.create_task(viewer.client.run()) for viewer in viewers]
    try:
        async with asyncio.timeout(OPENING_SECONDS):
            for viewer in viewers:
                await viewer.client.was_ready.wait()
        killing = asyncio.create_task(_kill_on(stack))
        await writer.write_for(SECONDS, in_disorder=False)
        killing.cancel()
        (kills,) = await asyncio.gather(killing)
        promised = writer.promised
        for _ in range(round(SETTLING_SECONDS * 10)):
            if all(promised <= set(viewer.client.ledger.delivered) for viewer in viewers):
                break
            await asyncio.sleep(0.1)
        await asyncio.to_thread(mark, dynamodb, names.connections, until=int(time.time()) + 60)
        await asyncio.sleep(LEASE_SECONDS)  # the drain is looked for with every second renewal
    finally:
        for task in connecting:
            task.cancel()
        await asyncio.gather(*connecting, return_exceptions=True)
    dynamodb.close()
    return viewers, promised, kills


async def _kill_on(stack: BackgroundStack) -> int:
    """Until cancelled; how many were killed."""
    random, kills = Random(1), 0
    try:
        while True:
            await asyncio.sleep(KILL_SECONDS)
            running = [one for one in stack.environments if one.phase is Phase.RUNNING]
            if running:
                send(random.choice(running), signal.SIGKILL)
                kills += 1
    except asyncio.CancelledError:
        return kills


def _until_all_leases_are_free(stack: BackgroundStack) -> float:
    """Seconds since the last stream ended; gives up after twice the promise."""
    started = time.monotonic()
    while (waited := time.monotonic() - started) < 2 * LEASE_SECONDS + 4:
        if httpx.get(f"{stack.url}/stream/status", timeout=10).json()["current"] == 0:
            break
        time.sleep(0.2)
    return waited


def _report(viewers: list[Viewer], promised: set[Key], kills: int) -> str:
    latencies = [latency for viewer in viewers for latency in viewer.latencies]
    cuts = quantiles(latencies, n=100)
    delivered = sum(sum(viewer.client.ledger.delivered.values()) for viewer in viewers)
    repeats = sum(viewer.client.ledger.repeats for viewer in viewers)
    endings = sum((viewer.client.ledger.endings for viewer in viewers), Counter[str]())
    return (
        f"{len(viewers)} streams, {len(promised)} items, {kills} environments killed:"
        f" {delivered} delivered, {repeats} repeated, none lost if this passes;"
        f" latency p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s; endings {dict(endings)}"
    )
