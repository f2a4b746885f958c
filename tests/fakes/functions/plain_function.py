"""A handler of twenty lines on the library's public names alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aws_lambda_powertools import Logger, Tracer

from lambda_streaming import EventStream, Request, ServerSentEvent, step, streaming

logger, tracer = Logger(), Tracer()


@tracer.capture_method
def check(request: Request) -> str:
    return str(request.json()["prompt"])


async def chat(request: Request) -> EventStream:
    return EventStream(tokens(check(request)))


async def tokens(prompt: str) -> AsyncIterator[ServerSentEvent]:
    with step("model_call", model="m"):
        words = prompt.split()
    logger.info("answering")
    for word in words:
        yield ServerSentEvent(word, event="token")


handler = streaming(chat)
