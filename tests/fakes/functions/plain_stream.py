"""Run as a program where the library is installed and nothing else: a function that streams."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator

from lambda_streaming import Response, StreamingResponse, step
from lambda_streaming.responses import StreamOutcome
from lambda_streaming.runtime.invocation import FunctionEnvironment, LambdaContext
from lambda_streaming.runtime.invoker import LifeCycle
from lambda_streaming.runtime.loop import run


async def body() -> AsyncGenerator[bytes, None]:
    for number in range(3):
        with step("count", number=number):
            block = b"data: %d\n\n" % number
        yield block


async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
    foreign = {"boto3", "botocore", "opentelemetry", "aws_xray_sdk", "aws_lambda_powertools"}
    sys.stdout.write(f"{outcome.value} {sorted(foreign & sys.modules.keys())}\n")
    sys.stdout.flush()


def handler(event: bytes, context: LambdaContext) -> Response | StreamingResponse:
    return StreamingResponse(
        status=200,
        headers={"Content-Type": "text/event-stream"},
        body=body(),
        finish=finish,
        stall_seconds=5,
    )


if __name__ == "__main__":
    run(
        handler,
        environment=FunctionEnvironment.from_environ(os.environ),
        life_cycle=LifeCycle(),
    )
