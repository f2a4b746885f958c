"""A real function process whose wall clock is set while it streams, beside healthy ones."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from random import Random

import pytest

from lambdas.sse_streaming.feeds.position import PositionCodec
from local_aws.background import BackgroundStack
from local_aws.data.clients import local_client
from tests.counts import count
from tests.fakes.feed_writer import FeedWriter
from tests.fakes.ledger import Key, Ledger
from tests.fakes.local import local_stack, wait_until
from tests.fakes.resuming_client import ResumingClient

STEPS_SECONDS = (30, -30, 9, -9)[: count(4)]
WRONG_SECONDS = 6.0
OVERLAP_SECONDS = 10.0
ID_KEY = "0123456789abcdef"
WALL_CLOCK = Path(__file__).resolve().parents[1] / "fakes" / "wall_clock"


def interpreter(folder: Path) -> Path:
    """This Python, with a wall clock that the test can set."""
    script = folder / "python"
    script.write_text(
        f"#!/bin/sh\nexport WALL_CLOCK_FOLDER={folder} PYTHONPATH={WALL_CLOCK}\n"
        f'exec {sys.executable} "$@"\n'
    )
    script.chmod(0o755)
    return script


async def stream_through_a_step(
    stack: BackgroundStack, folder: Path, step_seconds: int
) -> tuple[ResumingClient, set[Key]]:
    """Items all along; the clock of the first environment is wrong for a while, and in the middle
    of that the client loses its connection and lands in another one."""
    codec = PositionCodec(key=ID_KEY.encode(), table="items", index="by_sentiment")
    client = ResumingClient(
        stack.url, "/stream", Ledger(codec), random=Random(1), longest_wait_seconds=0.5
    )
    dynamodb = local_client("dynamodb", stack.dynamodb.url)
    writer = FeedWriter(dynamodb, stack.stack.names.items, "ACME", Random(1), 8.0, OVERLAP_SECONDS)
    connecting = asyncio.create_task(client.run())
    try:
        await asyncio.wait_for(client.was_ready.wait(), 20)
        (pid,) = (environment.pid for environment in stack.environments)
        writing = asyncio.create_task(writer.write_for(WRONG_SECONDS + 4, in_disorder=True))
        await asyncio.sleep(2)
        (folder / str(pid)).write_text(str(step_seconds))
        await asyncio.sleep(WRONG_SECONDS / 2)
        client.cut()
        await asyncio.sleep(WRONG_SECONDS / 2)
        (folder / str(pid)).write_text("0")
        await writing
        await asyncio.to_thread(
            wait_until, lambda: writer.promised <= set(client.ledger.delivered), "delivered"
        )
    finally:
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        dynamodb.close()
    return client, writer.promised


@pytest.mark.parametrize("step_seconds", STEPS_SECONDS)
def test_a_clock_that_is_set_loses_nothing_and_is_said(step_seconds: int, tmp_path: Path) -> None:
    with local_stack(
        LOCAL_PYTHON=str(interpreter(tmp_path)),
        SSE_ID_KEY=ID_KEY,
        SSE_OVERLAP_SECONDS=str(OVERLAP_SECONDS),
        SSE_POLL_SECONDS="0.5",
        SSE_POLL_MAX_SECONDS="0.5",
    ) as stack:
        client, promised = asyncio.run(stream_through_a_step(stack, tmp_path, step_seconds))
        said = [line for line in stack.function_log() if "clock was set by" in line]

    assert client.ledger.problems == []
    assert promised - set(client.ledger.delivered) == set()
    assert len(promised) > 20
    assert len(said) == 2
