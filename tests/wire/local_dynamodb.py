"""Starts a DynamoDB engine with the tables and a fault proxy in front."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from local_aws.data.clients import local_client
from local_aws.data.engines import dynoxide, find_dynoxide, moto
from local_aws.data.fault_proxy import FaultProxy
from local_aws.data.index_lag import IndexLag
from local_aws.feed.sentiment.declaration import SENTIMENT
from local_aws.feed.tables import TableNames, create_tables
from local_aws.processes import ProcessGuard
from local_aws.settings import Settings


@dataclass
class LocalDynamoDb:
    proxy: FaultProxy
    direct: Any
    through_proxy: Any
    charges_by_the_rule: bool

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """One request through the proxy, tried once."""
        answer: dict[str, Any] = await asyncio.to_thread(
            getattr(self.through_proxy, operation), **parameters
        )
        return answer


def item(item_id: str, published_at: int = 1, **more: str) -> dict[str, Any]:
    return {
        "item_id": {"S": item_id},
        "sentiment_type": {"S": "positive"},
        "published_at": {"N": str(published_at)},
        **{name: {"S": value} for name, value in more.items()},
    }


@asynccontextmanager
async def local_dynamodb() -> AsyncIterator[LocalDynamoDb]:
    guard = ProcessGuard()
    await guard.start()
    binary = find_dynoxide(Settings.from_environ(os.environ))
    engine = moto(guard) if binary is None else dynoxide(binary, guard)
    await engine.start()
    names = TableNames.from_environ({}, SENTIMENT)
    proxy = FaultProxy(
        index_lag=IndexLag(names.keys(SENTIMENT), seconds=0, monotonic=time.monotonic)
    )
    await proxy.start(engine.url)
    direct = await asyncio.to_thread(local_client, "dynamodb", engine.url)
    await asyncio.to_thread(create_tables, direct, names, SENTIMENT)
    through_proxy = local_client("dynamodb", proxy.url, tries=1)
    try:
        yield LocalDynamoDb(proxy, direct, through_proxy, binary is not None)
    finally:
        through_proxy.close()
        direct.close()
        await proxy.stop()
        await engine.stop()
        await guard.stop()
