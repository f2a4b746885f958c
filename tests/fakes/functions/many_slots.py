"""A function that runs SLOTS invocations at once and uses what Powertools offers, as users do.

HANDLER says which: `synchronous` or `asynchronous`. Every invocation waits for all others in both
its phases, so that what is kept per process would be seen by the wrong one.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncGenerator

from aws_lambda_powertools import Logger, Tracer

from lambda_streaming.responses import StreamingResponse
from lambda_streaming.runtime.invocation import LambdaContext
from lambda_streaming.serving.process import serve, traced
from lambda_streaming.tracing.step import step

SLOTS = int(os.environ.get("SLOTS", "1"))

logger, tracer = Logger(), Tracer()
handlers, handler_threads, bodies = (
    asyncio.Barrier(SLOTS),
    threading.Barrier(SLOTS),
    asyncio.Barrier(SLOTS),
)


@tracer.capture_method
def look_up(number: str) -> None:
    tracer.put_annotation("number", number)
    logger.info("looked up %s", number)


@tracer.capture_method
async def fetch(number: str) -> None:
    tracer.put_annotation("number", number)
    await handlers.wait()
    await asyncio.to_thread(look_up, number)


@logger.inject_lambda_context(clear_state=True)
def synchronous(event: bytes, context: LambdaContext) -> StreamingResponse:
    number = str(json.loads(event)["number"])
    logger.append_keys(number=number)
    handler_threads.wait(30)
    look_up(number)
    return answer(number)


@logger.inject_lambda_context(clear_state=True)
async def asynchronous(event: bytes, context: LambdaContext) -> StreamingResponse:
    number = str(json.loads(event)["number"])
    logger.append_keys(number=number)
    await asyncio.gather(fetch(number), asyncio.to_thread(look_up, number))
    return answer(number)


def answer(number: str) -> StreamingResponse:
    header = os.environ.get("_X_AMZN_TRACE_ID", "")
    return StreamingResponse(body(number), headers={"x-trace-variable": header})


async def body(number: str) -> AsyncGenerator[str, None]:
    yield number
    assert "_X_AMZN_TRACE_ID" not in os.environ
    await bodies.wait()
    async with step("model_call", number=number) as call:
        await call.in_thread(lambda: logger.info("called %s", number))
    logger.info("ends %s", number)


handler = serve(lambda environ: traced(globals()[environ["HANDLER"]], environ, slots=SLOTS))
