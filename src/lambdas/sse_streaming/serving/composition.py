"""The service on one schema, composed when Lambda's runtime looks the handler up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from random import SystemRandom
from typing import TypeVar

from aws_lambda_powertools import Logger, Tracer
from aws_xray_sdk.core import xray_recorder

from lambda_streaming.clock import SystemClock
from lambda_streaming.environ import SettingsError
from lambda_streaming.serving.life_cycle import AppLifeCycle, TracedLifeCycle
from lambda_streaming.serving.process import Service
from lambda_streaming.serving.recording.tracers import tell_invocations_apart
from lambda_streaming.tracing.diagnosis.checks import Diagnosis
from lambda_streaming.tracing.diagnosis.settings import DiagnosisSettings
from lambda_streaming.tracing.invocations import Invocations
from lambda_streaming.tracing.tracer import Tracing
from lambda_streaming.version import __version__
from lambdas.sse_streaming.app import Application
from lambdas.sse_streaming.aws.clients import AwsClients, Lazy
from lambdas.sse_streaming.configurations import DynamoConfigurations
from lambdas.sse_streaming.connections.dynamodb import DynamoConnections
from lambdas.sse_streaming.feeds.items import DynamoItemsIndex
from lambdas.sse_streaming.feeds.position import PositionCodec
from lambdas.sse_streaming.feeds.reader import FeedReader
from lambdas.sse_streaming.feeds.schema import Caller, FeedSchema
from lambdas.sse_streaming.metrics import Metrics
from lambdas.sse_streaming.reporter import CloudWatchSink
from lambdas.sse_streaming.serving.handler import route_annotation, traced_handler
from lambdas.sse_streaming.settings import Settings, unknown_settings
from lambdas.sse_streaming.streams.stream import Streams

T = TypeVar("T")

_WORKER_THREADS = 8


class ServiceLifeCycle(AppLifeCycle):
    """What the service does around invocations."""

    def __init__(self, clients: AwsClients, metrics: Metrics) -> None:
        self._clients = clients
        self._metrics = metrics

    def thaw(self, rested_seconds: float) -> None:
        self._clients.thaw(rested_seconds)

    def exported(self, lost_spans: int, failed_exports: int) -> None:
        if lost_spans:
            self._metrics.count("SpansLost", lost_spans)
        if failed_exports:
            self._metrics.count("FlushFailures", failed_exports)


def compose(schema: FeedSchema, environ: MutableMapping[str, str]) -> Service:
    """Raises SettingsError for a deployment that cannot work."""
    settings = Settings.from_environ(environ, items_index=schema.index)
    check(schema, settings)
    clock, random = SystemClock(), SystemRandom()
    logger = Logger(service=settings.service_name)
    for name, nearest in unknown_settings(environ):
        hint = f"did you mean {nearest}?" if nearest else "no setting has a name like it"
        logger.warning("%s is set and has no effect: %s", name, hint)
    # Without a list Powertools patches every library that the X-Ray SDK knows; the handler phase
    # uses botocore alone.
    tracer = Tracer(service=settings.service_name, patch_modules=["botocore"])
    invocations = Invocations()
    correlation = tell_invocations_apart(
        invocations,
        logger=logger,
        recorder=xray_recorder,
        clock=clock,
        packages=["lambdas.sse_streaming"],
    )
    pool = ThreadPoolExecutor(_WORKER_THREADS, thread_name_prefix="aws")

    def offload(work: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(pool, work)

    clients = AwsClients(environ, settings.aws_timeout_seconds)
    dynamodb = Lazy(lambda: clients.make("dynamodb"))
    cloudwatch = Lazy(lambda: clients.make("cloudwatch"))
    metrics = Metrics()
    tracing = Tracing(settings.tracing, environ, clock, offload)
    streams = Streams(
        schema=schema,
        settings=settings,
        clock=clock,
        random=random,
        codec=PositionCodec(
            key=settings.id_key,
            table=settings.items_table,
            index=settings.items_index,
            previous_key=settings.id_key_previous,
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
        reader=FeedReader(
            DynamoItemsIndex(dynamodb, settings.items_table, settings.items_index, schema)
        ),
        metrics=metrics,
        sink=CloudWatchSink(cloudwatch, settings.metrics_namespace),
    )
    application = Application(
        streams,
        tracing=tracing,
        configurations=(
            DynamoConfigurations(dynamodb, settings.configurations_table, schema)
            if settings.configurations_table
            else None
        ),
        diagnosis=Diagnosis(
            DiagnosisSettings(settings.tracing, __version__, "SSE_TRACE_SPAN_BUDGET"),
            environ,
            tracing,
            clock,
        ),
        is_cold_start=invocations.is_first,
        bind_log=correlation.bind_span,
        name_route=route_annotation(xray_recorder),
    )
    return Service(
        traced_handler(application, tracer, logger, xray_recorder),
        TracedLifeCycle(
            tracing,
            invocations,
            environ=environ,
            clock=clock,
            app=ServiceLifeCycle(clients, metrics),
        ),
    )


def check(schema: FeedSchema, settings: Settings) -> None:
    """Raises SettingsError where this deployment cannot serve the schema."""
    chosen_by = schema.chosen_by
    if isinstance(chosen_by, Caller) and chosen_by.needs_iam and settings.auth == "none":
        raise SettingsError(
            "SSE_AUTH=none: this feed has a partition for each IAM caller (Caller()), and this"
            " deployment knows no callers. Set SSE_AUTH=iam, with a front door that checks them"
            " (url_authorization = AWS_IAM), or declare Caller(partition_of=…) with a function of"
            " your own"
        )
    if settings.overlap_ms <= schema.ms_per_unit and schema.ms_per_unit > 1:
        raise SettingsError(
            f"SSE_OVERLAP_SECONDS={settings.overlap_seconds:g} is not above 1: this feed's times"
            " are seconds (time_unit='s'), so an item is visible up to a second later after its"
            " stamp than one stamped in milliseconds"
        )
