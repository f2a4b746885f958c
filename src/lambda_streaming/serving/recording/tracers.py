"""The tracers of both phases and the logger, as one process has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambda_streaming.clock import Clock, SystemClock
from lambda_streaming.serving.request_ids import add_request_ids
from lambda_streaming.tracing.handler_phase import HandlerPhase, is_switched_off
from lambda_streaming.tracing.invocations import Invocations
from lambda_streaming.tracing.settings import TracingSettings
from lambda_streaming.tracing.step import Scalar
from lambda_streaming.tracing.tracer import Tracing

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from lambda_streaming.tracing.correlation import LogCorrelation


@dataclass(frozen=True, slots=True)
class Tracers:
    """`bind_log` is told which span log lines belong to from then on; with `joins`, spans of the
    app's own OpenTelemetry are in the same traces."""

    settings: TracingSettings
    invocations: Invocations
    handler_phase: HandlerPhase
    tracing: Tracing
    clock: Clock
    recorder: Any
    bind_log: Callable[[str | None], None]
    joins: bool = False

    @classmethod
    def of_process(cls, environ: Mapping[str, str], *, joins: bool = False) -> Tracers:
        """Needs the packages of the extra `tracing`. Raises SettingsError for environment variables
        that cannot be used."""
        from aws_lambda_powertools import Logger
        from aws_xray_sdk.core import xray_recorder

        settings = TracingSettings.from_environ(environ)
        heed_switch(environ)
        clock, invocations = SystemClock(), Invocations()
        correlation = tell_invocations_apart(
            invocations,
            logger=Logger(service=settings.service_name),
            recorder=xray_recorder,
            clock=clock,
        )
        return cls(
            settings,
            invocations,
            HandlerPhase(xray_recorder, settings.service_name, invocations, environ),
            Tracing(settings, environ, clock, joins_app_spans=joins, tells_outages_once=True),
            clock,
            xray_recorder,
            correlation.bind_span,
            joins,
        )

    def annotate(self, name: str, value: Scalar) -> None:
        """The handler phase, so that traces can be searched by it."""
        subsegment = self.recorder.current_subsegment()
        if subsegment is not None:
            subsegment.put_annotation(name, value)


def tell_invocations_apart(
    invocations: Invocations,
    *,
    logger: Logger,
    recorder: Any,
    clock: Clock,
    packages: Iterable[str] = (),
) -> LogCorrelation:
    """Log lines, X-Ray subsegments and AWS requests belong to the invocation whose code makes them.

    `recorder` is the X-Ray SDK's. Log lines of the named packages are written by `logger`, too.
    """
    # Of the extra `tracing`, without which apps are served untraced.
    from lambda_streaming.tracing.aws_requests import record_aws_requests
    from lambda_streaming.tracing.correlation import LogCorrelation
    from lambda_streaming.tracing.xray_context import XRayContext

    correlation = LogCorrelation(logger, invocations, ["lambda_streaming", *packages])
    recorder.configure(context=XRayContext(invocations))
    record_aws_requests(recorder, clock.wall_ns, trace_header=invocations.trace_header)
    add_request_ids(invocations)
    return correlation


def heed_switch(environ: Mapping[str, str]) -> None:
    """Powertools' Tracer heeds POWERTOOLS_TRACE_DISABLED when it is made, and not every app makes
    one. Like it, this switches the X-Ray SDK off (aws_lambda_powertools/tracing/tracer.py)."""
    from aws_xray_sdk import global_sdk_config

    if is_switched_off(environ):
        global_sdk_config.set_sdk_enabled(False)
