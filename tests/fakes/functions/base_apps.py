"""Run as a program where the library is installed and nothing else: a function of a request and an
ASGI app, looked up as Lambda's runtime looks handlers up. Argument: which."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from lambda_streaming import EventStream, Request, asgi, step, streaming


async def count(request: Request) -> EventStream:
    return EventStream(numbers(), on_end=say)


async def numbers() -> AsyncIterator[str]:
    for number in range(3):
        with step("count", number=number):
            text = str(number)
        yield text


def say(reason: str) -> None:
    foreign = {"boto3", "botocore", "opentelemetry", "aws_xray_sdk", "aws_lambda_powertools"}
    sys.stdout.write(f"{reason} {sorted(foreign & sys.modules.keys())}\n")
    sys.stdout.flush()


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in (b"0", b"1", b"2"):
        await send({"type": "http.response.body", "body": number, "more_body": True})
    await send({"type": "http.response.body"})
    say("completed")


plain = streaming(count)
bridged = asgi(app)

if __name__ == "__main__":
    getattr(sys.modules["__main__"], sys.argv[1])
