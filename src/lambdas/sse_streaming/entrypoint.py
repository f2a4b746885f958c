"""The function's `handler` setting names this module: `lambdas.sse_streaming.entrypoint.handler`.

The managed runtime imports it before it asks for the first event. Inside Lambda the import starts
our own loop over the Runtime API, in response-streaming mode, and never returns: Python's managed
runtime has no streaming of its own. Errors before the first `/next` are raised, so that the
managed runtime reports them as init errors; afterwards nothing leaves this module.

Nothing else may import it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from random import SystemRandom
from typing import NoReturn, TypeVar

from aws_lambda_powertools import Logger, Tracer
from aws_xray_sdk.core import xray_recorder

from lambda_streaming.clock import SystemClock
from lambda_streaming.runtime.invocation import FunctionEnvironment, Invocation
from lambda_streaming.runtime.loop import run
from lambda_streaming.tracing.aws_requests import record_aws_requests
from lambda_streaming.tracing.correlation import LogCorrelation
from lambda_streaming.tracing.diagnosis.checks import Diagnosis
from lambda_streaming.tracing.diagnosis.settings import DiagnosisSettings
from lambda_streaming.tracing.header import normalise_trace_header
from lambda_streaming.tracing.invocations import Invocations
from lambda_streaming.tracing.tracer import Tracing
from lambda_streaming.tracing.xray_context import XRayContext
from lambdas.sse_streaming import __version__
from lambdas.sse_streaming.app import Application
from lambdas.sse_streaming.aws.clients import AwsClients, Lazy
from lambdas.sse_streaming.configurations import DynamoConfigurations
from lambdas.sse_streaming.connections.dynamodb import DynamoConnections
from lambdas.sse_streaming.feed.items import DynamoItemsIndex
from lambdas.sse_streaming.feed.position import PositionCodec
from lambdas.sse_streaming.feed.reader import FeedReader
from lambdas.sse_streaming.handler import route_annotation, traced_handler
from lambdas.sse_streaming.metrics import Metrics
from lambdas.sse_streaming.reporter import CloudWatchSink
from lambdas.sse_streaming.settings import Settings, unknown_settings
from lambdas.sse_streaming.stream import Streams

T = TypeVar("T")

_WORKER_THREADS = 8


def handler(event: object, context: object) -> NoReturn:
    """Only so that the name in the function's setting exists; the loop is started by the import."""
    raise RuntimeError(
        "this module starts its own loop when AWS_LAMBDA_RUNTIME_API is set before its import"
    )


def serve(environ: MutableMapping[str, str]) -> NoReturn:
    """Build everything once, then serve invocations until the process ends.

    Raises SettingsError for a deployment that cannot work.
    """
    settings = Settings.from_environ(environ)
    clock, random = SystemClock(), SystemRandom()
    logger = Logger(service=settings.service_name)
    invocations = Invocations()
    correlation = LogCorrelation(logger, invocations, ["lambda_streaming", "lambdas.sse_streaming"])
    for name, nearest in unknown_settings(environ):
        hint = f"did you mean {nearest}?" if nearest else "no setting has a name like it"
        logger.warning("%s is set and has no effect: %s", name, hint)
    # botocore alone: narrower than everything that Powertools could patch, and the handler phase
    # calls nothing else.
    tracer = Tracer(service=settings.service_name, patch_modules=["botocore"])
    xray_recorder.configure(context=XRayContext(invocations))
    record_aws_requests(xray_recorder, clock.wall_ns)
    pool = ThreadPoolExecutor(_WORKER_THREADS, thread_name_prefix="aws")
    # Of its own, so that hung AWS requests cannot keep a flush waiting.
    flushing = ThreadPoolExecutor(1, thread_name_prefix="flush")

    def offload(work: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(pool, work)

    clients = AwsClients(environ, settings.aws_timeout_seconds)
    dynamodb = Lazy(lambda: clients.make("dynamodb"))
    cloudwatch = Lazy(lambda: clients.make("cloudwatch"))
    metrics = Metrics()
    tracing = Tracing(settings.tracing, environ, clock, offload)
    streams = Streams(
        settings=settings,
        clock=clock,
        random=random,
        codec=PositionCodec(
            key=settings.id_key, table=settings.items_table, index=settings.items_index
        ),
        connections=DynamoConnections(
            dynamodb,
            settings.connections_table,
            max_connections=settings.max_connections,
            lease_seconds=settings.lease_seconds,
            replay_seconds=settings.replay_seconds,
            now_seconds=time.time,
            random=random,
        ),
        reader=FeedReader(DynamoItemsIndex(dynamodb, settings.items_table, settings.items_index)),
        metrics=metrics,
        sink=CloudWatchSink(cloudwatch, settings.metrics_namespace),
    )
    application = Application(
        streams,
        tracing=tracing,
        configurations=(
            DynamoConfigurations(dynamodb, settings.configurations_table)
            if settings.configurations_table
            else None
        ),
        diagnosis=Diagnosis(
            DiagnosisSettings(settings.tracing, __version__, "SSE_TRACE_SPAN_BUDGET"),
            environ,
            tracing,
            clock,
        ),
        environ=environ,
        bind_log=correlation.bind_span,
        name_route=route_annotation(xray_recorder),
    )

    def begin(invocation: Invocation) -> None:
        invocations.begin(invocation.request_id, invocation.trace_header)
        clients.wake(time.time())

    async def settle() -> None:
        try:
            await flush()
        finally:
            clients.rest(time.time())
            invocations.end()

    async def flush() -> None:
        if tracing.buffer.has_work:
            await asyncio.get_running_loop().run_in_executor(flushing, tracing.buffer.flush)
        lost, failed = tracing.buffer.take_counts()
        if lost:
            metrics.count("SpansLost", lost)
        if failed:
            metrics.count("FlushFailures", failed)

    async def flush_before_exit() -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(flushing, tracing.buffer.flush)
        finally:  # also where the collector takes longer than there is time
            tracing.buffer.give_up()

    run(
        traced_handler(application, tracer, logger, xray_recorder),
        environment=FunctionEnvironment.from_environ(environ),
        environ=environ,
        normalise_trace_header=normalise_trace_header,
        before_invocation=(begin,),
        after_response=(settle,),
        on_shutdown=(flush_before_exit,),
    )


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    serve(os.environ)
