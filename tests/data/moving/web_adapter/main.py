"""The orders of a shop."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.orders = ["tea", "milk", "sugar"]
    yield


app = FastAPI(title="Shop", lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.get("/orders")
async def orders(request: Request) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        for item in request.app.state.orders:
            yield json.dumps({"item": item}) + "\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(lines(), media_type="application/x-ndjson")


@app.get("/whoami")
async def whoami(request: Request) -> dict[str, str]:
    context = json.loads(request.headers.get("x-amzn-lambda-context", "{}"))
    return {"request_id": context.get("request_id", "")}
