"""A FastAPI app, served by uvicorn behind Lambda Web Adapter, by Mangum, or by the library.

Like the service it has two AWS clients and sends an item that it found in a DynamoDB index.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator

import boto3
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()
dynamodb = boto3.client("dynamodb")
cloudwatch = boto3.client("cloudwatch")


async def health() -> dict[str, str]:
    return {"status": "healthy"}


async def blocks(count: int, size: int, pause_seconds: float = 0) -> StreamingResponse:
    block = "x" * size

    async def body() -> AsyncIterator[str]:
        yield ": open\n\n"
        for _ in range(count):
            if pause_seconds:
                await asyncio.sleep(pause_seconds)
            yield block

    return StreamingResponse(body(), media_type="text/event-stream")


async def stream() -> StreamingResponse:
    async def body() -> AsyncIterator[str]:
        yield ": open\n\n"
        answer = await asyncio.to_thread(
            dynamodb.query,
            TableName="items",
            IndexName="by_sentiment",
            KeyConditionExpression="sentiment_type = :s",
            ExpressionAttributeValues={":s": {"S": "positive"}},
            ScanIndexForward=False,
            Limit=1,
        )
        for item in answer["Items"]:
            yield f"event: sentiment\nid: {item['item_id']['S']}\ndata: {json.dumps(item)}\n\n"

    return StreamingResponse(body(), media_type="text/event-stream")


app.add_api_route("/health", health)
app.add_api_route("/blocks", blocks)
app.add_api_route("/stream", stream)

if os.environ.get("BENCH_PEER") == "mangum":
    from mangum import Mangum

    handler = Mangum(app, lifespan="off")
elif os.environ.get("BENCH_PEER") == "asgi":
    from lambda_streaming import asgi

    handler = asgi(app)
