"""Everything that a process is built of, and how it begins to serve."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from lambda_streaming.clock import Clock, SystemClock
from lambda_streaming.runtime.framing import EMPTY_BODY
from lambda_streaming.runtime.invocation import FunctionEnvironment
from lambda_streaming.runtime.invoker import Handler, LifeCycle
from lambda_streaming.runtime.loop import run
from lambda_streaming.serving.life_cycle import AppLifeCycle, TracedLifeCycle
from lambda_streaming.serving.recording.phases import Phases
from lambda_streaming.serving.take_over import LambdaHandler, arm
from lambda_streaming.tracing.handler_phase import HandlerPhase, is_switched_off
from lambda_streaming.tracing.invocations import Invocations
from lambda_streaming.tracing.settings import TracingSettings
from lambda_streaming.tracing.tracer import Tracing

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from lambda_streaming.tracing.correlation import LogCorrelation

_log = logging.getLogger(__name__)

_TRACE_VARIABLE = "_X_AMZN_TRACE_ID"


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
    record_aws_requests(recorder, clock.wall_ns)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RequestIds(invocations))
    return correlation


def heed_switch(environ: Mapping[str, str]) -> None:
    """Powertools' Tracer heeds POWERTOOLS_TRACE_DISABLED when it is made, and not every app makes
    one. Like it, this switches the X-Ray SDK off (aws_lambda_powertools/tracing/tracer.py)."""
    from aws_xray_sdk import global_sdk_config

    if is_switched_off(environ):
        global_sdk_config.set_sdk_enabled(False)


class RequestIds(logging.Filter):
    """The managed runtime's log format has the request id in it, and knows of one invocation at a
    time (awslambdaric/bootstrap.py, LambdaLoggerFilter)."""

    def __init__(self, invocations: Invocations) -> None:
        super().__init__()
        self._invocations = invocations

    def filter(self, record: logging.LogRecord) -> bool:
        invocation = self._invocations.current()
        record.aws_request_id = "" if invocation is None else invocation.request_id
        return True


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that is built once, in the init phase."""

    handler: Handler
    life_cycle: LifeCycle
    slots: int = 1
    """How many invocations may run at once."""
    empty_body: bytes = EMPTY_BODY
    """Sent in place of a streamed body without content, as chunks."""


def traced(
    handler: Handler,
    environ: MutableMapping[str, str],
    *,
    app: AppLifeCycle | None = None,
    slots: int = 1,
) -> Service:
    """The handler with both its phases in one trace, its log lines with the ids of the invocation.

    Raises SettingsError for environment variables that cannot be used.
    """
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
    tracing = Tracing(settings, environ, clock)
    phases = Phases(
        HandlerPhase(xray_recorder, settings.service_name, invocations, environ),
        tracing,
        bind_log=correlation.bind_span,
        steady_seconds=clock.steady_seconds,
    )
    life_cycle = TracedLifeCycle(
        tracing, invocations, environ=environ, clock=clock, app=app or AppLifeCycle()
    )
    return Service(phases.traced(handler), life_cycle, slots)


Compose: TypeAlias = Callable[[MutableMapping[str, str]], Service]


def serve(compose: Compose) -> LambdaHandler:
    """The handler of a module whose handler setting names it: `handler = serve(compose)`.

    `compose` is called with the process environment when Lambda's runtime looks the handler up;
    what it raises fails the init. Outside Lambda nothing happens.
    """

    def start() -> NoReturn:
        service = compose(os.environ)
        run(
            service.handler,
            environment=FunctionEnvironment.from_environ(os.environ),
            life_cycle=service.life_cycle,
            slots=service.slots,
            empty_body=service.empty_body,
        )

    caller = sys._getframe(1).f_globals["__name__"]
    return arm(LambdaHandler(start), os.environ, sys.argv, caller)
