"""The orders of a shop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import BackgroundTasks, Cookie, FastAPI, HTTPException, Request, Response
from mangum import Mangum
from pydantic import BaseModel


class Order(BaseModel):
    item: str
    count: int = 1


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.orders = {1: Order(item="tea")}
    yield


app = FastAPI(title="Shop", lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.get("/orders/{number}")
async def order(number: int, request: Request) -> Order:
    if number not in request.app.state.orders:
        raise HTTPException(404, "no such order")
    found: Order = request.app.state.orders[number]
    return found


@app.post("/orders", status_code=201)
async def add(order: Order, response: Response, tasks: BackgroundTasks) -> Order:
    response.set_cookie("last", order.item)
    response.set_cookie("basket", "empty")
    tasks.add_task(print, "confirmed", order.item)
    return order


@app.get("/last")
async def last(last: Annotated[str, Cookie()] = "none") -> str:
    return last


@app.get("/orders.csv")
async def export() -> Response:
    return Response("item,count\ntea,1\n", media_type="text/csv")


@app.get("/logo")
async def logo() -> Response:
    return Response(bytes(range(256)), media_type="image/png")


handler = Mangum(app, text_mime_types=["text/csv", "application/json"])
