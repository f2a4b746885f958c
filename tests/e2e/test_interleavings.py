"""Random interleavings through the whole local stack, with real processes: nothing is lost.

Ten clients share a stack and its outages; each has its own items, cuts, kills and freezes.
INTERLEAVING_SEED=seed replays a group: the same schedule, as exactly as real processes keep time.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from lambdas.sse_streaming.feeds.position import PositionCodec
from local_aws.background import BackgroundStack
from local_aws.data.clients import local_client
from tests.counts import count
from tests.fakes.feed_writer import FeedWriter
from tests.fakes.havoc import MAX_INDEX_LAG_SECONDS, strike_all, strike_one
from tests.fakes.ledger import Ledger
from tests.fakes.local import local_stack
from tests.fakes.resuming_client import ResumingClient

GROUP = 10
RUNS = int(os.environ.get("STACK_INTERLEAVINGS", "0")) or max(GROUP, count(40))
SEEDS = (
    [int(os.environ["INTERLEAVING_SEED"])]
    if "INTERLEAVING_SEED" in os.environ
    else range(RUNS // GROUP)
)
WRITING_SECONDS = 8.0
SETTLING_SECONDS = 25.0
OVERLAP_SECONDS = 3.0
ID_KEY = "0123456789abcdef"
RECORD_LOST = "the record was lost"


@dataclass(slots=True)
class Run:
    """One client with items of its own."""

    client: ResumingClient
    writer: FeedWriter
    path: str
    random: Random
    struck: Counter[str]

    async def go(self, stack: BackgroundStack) -> None:
        connecting = asyncio.create_task(self.client.run())
        try:
            # Items written before a client was there are not promised to it.
            await asyncio.wait_for(self.client.was_ready.wait(), SETTLING_SECONDS)
            striking = asyncio.create_task(self._strike(stack))
            try:
                await self.writer.write_for(WRITING_SECONDS, in_disorder=True)
            finally:
                striking.cancel()
                await asyncio.gather(striking, return_exceptions=True)
            await self._settle()
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)

    async def _strike(self, stack: BackgroundStack) -> None:
        while True:
            await asyncio.sleep(self.random.uniform(0.3, 2.5))
            self.struck[await strike_one(stack, self.client, self.path, self.random)] += 1

    async def _settle(self) -> None:
        for _ in range(round(SETTLING_SECONDS * 10)):
            if not self.lost:
                return
            await asyncio.sleep(0.1)

    @property
    def lost(self) -> set[tuple[str, int]]:
        return self.writer.promised - set(self.client.ledger.delivered)


def make_run(stack: BackgroundStack, dynamodb: Any, seed: int, number: int) -> Run:
    random = Random(seed * 1000 + number)
    ticker = f"T{number}"
    path = f"/stream?ticker={ticker}"
    codec = PositionCodec(key=ID_KEY.encode(), table="items", index="by_sentiment")
    client = ResumingClient(stack.url, path, Ledger(codec), random=random, longest_wait_seconds=1.0)
    writer = FeedWriter(
        dynamodb,
        stack.stack.names.items,
        ticker,
        random,
        per_second=random.choice((0.5, 2.0, 5.0)),
        overlap_seconds=OVERLAP_SECONDS,
        index_lag_seconds=MAX_INDEX_LAG_SECONDS,
    )
    return Run(client, writer, path, random, Counter())


async def run_group(stack: BackgroundStack, seed: int, measured: dict[str, str]) -> list[Run]:
    dynamodb = local_client("dynamodb", stack.dynamodb.url)
    runs = [make_run(stack, dynamodb, seed, number) for number in range(GROUP)]
    outages: Counter[str] = Counter()

    async def strike_while_they_write() -> None:
        await asyncio.gather(*(run.client.was_ready.wait() for run in runs))
        try:
            async with asyncio.timeout(WRITING_SECONDS):
                await strike_all(stack, dynamodb, Random(seed), outages)
        except TimeoutError:
            pass

    striking = asyncio.create_task(strike_while_they_write())
    try:
        await asyncio.gather(*(run.go(stack) for run in runs))
    finally:
        striking.cancel()
        await asyncio.gather(striking, return_exceptions=True)
        dynamodb.close()
    struck = sum((run.struck for run in runs), Counter())
    endings = sum((run.client.ledger.endings for run in runs), Counter())
    measured[f"interleavings, seed {seed}"] = (
        f"{sum(run.writer.written for run in runs)} written,"
        f" {sum(run.client.ledger.repeats for run in runs)} repeated, outages {dict(outages)},"
        f" strikes {dict(struck)}, endings {dict(endings)}"
    )
    return runs


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_item_is_delivered_through_any_mix_of_faults(
    seed: int, measured: dict[str, str]
) -> None:
    with local_stack(
        LOCAL_CONCURRENCY="60",
        LOCAL_TIMEOUT_SECONDS="20",
        SSE_ID_KEY=ID_KEY,
        SSE_MAX_CONNECTIONS="40",
        SSE_MAX_STREAM_SECONDS="4",
        SSE_OVERLAP_SECONDS=str(OVERLAP_SECONDS),
        SSE_LEASE_SECONDS="3",
        SSE_POLL_SECONDS="0.3",
        SSE_POLL_MAX_SECONDS="1",
        SSE_AWS_TIMEOUT_SECONDS="0.5",
        SSE_HEARTBEAT_SECONDS="1",
        SSE_STALL_SECONDS="3",
        SSE_METRICS_SECONDS="2",
        SSE_FLUSH_SECONDS="0.3",
        SSE_RETRY_MS="300",
    ) as stack:
        runs = asyncio.run(run_group(stack, seed, measured))
        records_lost = sum(RECORD_LOST in line for line in stack.function_log())
        pids = {environment.pid for environment in stack.environments}

    failures = {
        run.path: [*run.client.ledger.problems, *(f"lost {item}" for item in sorted(run.lost))][:5]
        for run in runs
        if run.client.ledger.problems or run.lost
    }
    assert not failures, f"replay with INTERLEAVING_SEED={seed}"
    suspects = sum(run.client.ledger.suspect_repeats > 0 for run in runs)
    assert suspects <= records_lost, f"replay with INTERLEAVING_SEED={seed}"
    assert [pid for pid in pids if is_alive(pid)] == []


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
