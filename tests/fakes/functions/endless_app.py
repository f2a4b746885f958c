"""An app whose streams never end by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from lambda_streaming import EventStream, Request, streaming


async def ticks(request: Request) -> EventStream:
    return EventStream(seconds(), on_end=lambda reason: print(f"ended: {reason}", flush=True))  # noqa: T201


async def seconds() -> AsyncIterator[str]:
    number = 0
    while True:
        yield str(number)
        number += 1
        await asyncio.sleep(0.2)


handler = streaming(ticks)
