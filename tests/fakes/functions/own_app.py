"""An app of somebody else's: a handler that checks and a body that streams, no AWS in it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

from aws_lambda_powertools import Logger, Tracer

from lambda_streaming.responses import StreamingResponse
from lambda_streaming.runtime.invocation import LambdaContext
from lambda_streaming.serving.process import serve, traced
from lambda_streaming.tracing.step import step

logger, tracer = Logger(), Tracer()


@tracer.capture_method
def check(event: bytes) -> str:
    return str(json.loads(event)["prompt"])


async def chat(event: bytes, context: LambdaContext) -> StreamingResponse:
    prompt = check(event)
    return StreamingResponse(tokens(prompt), headers={"content-type": "text/plain"})


async def tokens(prompt: str) -> AsyncGenerator[str, None]:
    async with step("model_call", model="m") as call:
        words = await call.in_thread(prompt.split)
    logger.info("answering")
    for word in words:
        yield word + "\n"


handler = serve(lambda environ: traced(chat, environ))
