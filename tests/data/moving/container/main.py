"""The prices of a shop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse


class Prices:
    def __init__(self) -> None:
        self.tea = 0.0

    async def load(self) -> None:
        self.tea = 2.5

    async def keep_fresh(self) -> None:
        while True:
            await self.load()
            await asyncio.sleep(60)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.prices = Prices()
    refreshing = asyncio.create_task(app.state.prices.keep_fresh())
    yield
    refreshing.cancel()


app = FastAPI(title="Shop", lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.get("/prices")
async def prices(request: Request) -> dict[str, float]:
    known: Prices = request.app.state.prices
    return {"tea": known.tea}


@app.get("/prices/live")
async def live(request: Request, count: int) -> StreamingResponse:
    known: Prices = request.app.state.prices

    async def events() -> AsyncIterator[str]:
        for _ in range(count):
            yield f"data: {known.tea}\n\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(events(), media_type="text/event-stream")
