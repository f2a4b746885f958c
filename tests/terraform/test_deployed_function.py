"""What is deployed is what runs: the zip, handler and environment that Terraform left on AWS."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from local_aws.settings import FunctionSettings, Settings
from local_aws.stack import Stack
from tests.terraform.deployment import Life
from tools.open_stream import stream_for, unsigned

pytestmark = [pytest.mark.ci, pytest.mark.timeout(300)]


async def blocks(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """The stream's event blocks, field by field."""
    block: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line and block:
            yield block
            block = {}
        name, found, value = line.partition(": ")
        if found and name:
            block[name] = value


async def test_an_item_streams_through_the_deployed_function(
    life: Life, runtime: Path, unpacked: Path
) -> None:
    deployed = life.function
    function = FunctionSettings(
        python=runtime,
        task_root=unpacked,
        handler=deployed["Handler"],
        memory_mb=deployed["MemorySize"],
        environment=deployed["Environment"]["Variables"],
    )
    settings = Settings(
        port=0, timeout_seconds=deployed["Timeout"], items_per_second=0, function=function
    )
    async with (
        Stack(settings) as stack,
        httpx.AsyncClient(timeout=30) as client,
        client.stream("GET", f"{stack.url}/stream") as response,
        asyncio.timeout(60),
    ):
        assert response.status_code == 200, stack.function_log()
        events = blocks(response)
        ready = await anext(events)
        assert ready["event"] == "ready", (ready, stack.function_log())
        item = await stack.publisher.put({"sentiment_type": "positive", "headline": "deployed"})
        async for event in events:
            if event["event"] == "sentiment":
                break
        assert json.loads(event["data"])["item_id"] == item["item_id"]
        # `make verify-aws` is such a client too, and closes what it opened.
        seen = await asyncio.to_thread(stream_for, stack.url, 0.5, unsigned)
        assert seen.trace_id.startswith("1-")
        assert seen.events[-1] == "end"
