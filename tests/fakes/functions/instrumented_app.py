"""A Starlette app whose author brings OpenTelemetry's instrumentations, in the ways that
OWN_TELEMETRY names."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import Any

import boto3
import httpx
from opentelemetry import trace
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lambda_streaming import asgi

wanted = os.environ.get("OWN_TELEMETRY", "").split(",")
if "provider" in wanted:
    from opentelemetry.sdk.trace import TracerProvider

    class OwnProvider(TracerProvider):
        def force_flush(self, timeout_millis: int = 30000) -> bool:
            os.write(1, b"own provider flushed\n")
            if "failing" in wanted:
                raise OSError("no collector")
            if "hanging" in wanted:
                time.sleep(30)
            return True

    trace.set_tracer_provider(OwnProvider())
if "httpx" in wanted:
    HTTPXClientInstrumentor().instrument()
if "botocore" in wanted:
    BotocoreInstrumentor().instrument()  # type: ignore[no-untyped-call]
tracer = trace.get_tracer(__name__)
dynamodb: Any = boto3.client(
    "dynamodb",
    region_name="eu-west-1",
    endpoint_url=os.environ["AWS_STANDIN"],
    aws_access_key_id="x",
    aws_secret_access_key="x",
)


async def look_up(request: Request) -> JSONResponse:
    dynamodb.list_tables()
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(os.environ["AWS_STANDIN"])
    with tracer.start_as_current_span("by_hand") as span:
        span.set_attribute("colour", "green")
    return JSONResponse({"traceparent": request.headers.get("traceparent")})


# As old apps do: it is the loop that serves them, too.
at_import = asyncio.get_event_loop_policy().get_event_loop()


async def loop(request: Request) -> JSONResponse:
    logging.getLogger("app").warning("asked for the loop")
    return JSONResponse({"same": asyncio.get_running_loop() is at_import})


async def many(request: Request) -> JSONResponse:
    for number in range(300):
        with tracer.start_as_current_span(f"outer-{number}"), tracer.start_as_current_span("inner"):
            pass
    return JSONResponse({})


handler = asgi(
    Starlette(routes=[Route("/", look_up), Route("/many", many), Route("/loop", loop)]),
    tracing=os.environ.get("TRACING", "join"),  # type: ignore[arg-type]
)
