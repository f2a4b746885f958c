"""A FastAPI app, as somebody brings it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aws_lambda_powertools import Tracer
from fastapi import BackgroundTasks, FastAPI, HTTPException
from fastapi.responses import StreamingResponse

from lambda_streaming import asgi, step


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    yield {"starts": 1}


app = FastAPI(lifespan=lifespan)


@app.get("/items/{item_id}")
async def item(item_id: int) -> dict[str, int]:
    return {"item_id": item_id}


@app.get("/words")
async def words() -> StreamingResponse:
    async def blocks() -> AsyncIterator[str]:
        with step("look_up", table="words"):
            await asyncio.sleep(0)
        for word in ("one", "two", "three"):
            yield word + "\n"

    return StreamingResponse(blocks(), media_type="text/plain")


@app.get("/later")
async def later(tasks: BackgroundTasks) -> str:
    async def work() -> None:
        await asyncio.sleep(0.05)

    tasks.add_task(work)
    return "done"


@app.get("/missing")
async def missing() -> None:
    raise HTTPException(404)


@app.get("/broken")
async def broken() -> None:
    raise LookupError("no such thing")


@Tracer().capture_method
def count(event: dict[str, Any], context: Any) -> int:
    return len(event["Records"])


handler = asgi(app, events={"aws:sqs": count})
