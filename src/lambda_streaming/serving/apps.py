"""An app as what a process is built of: its answers, its life cycle, what is recorded of both."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

from lambda_streaming.bridge.observer import Observer
from lambda_streaming.clock import SystemClock
from lambda_streaming.doors.answering import AnswerOptions
from lambda_streaming.doors.options import DoorOptions
from lambda_streaming.requests import Request
from lambda_streaming.serving.answering import Answering, App
from lambda_streaming.serving.life_cycle import AppLifeCycle, TracedLifeCycle, UntracedLifeCycle
from lambda_streaming.serving.other_events import OtherEvents
from lambda_streaming.serving.process import Service, tell_invocations_apart
from lambda_streaming.serving.recording.asgi_trace import AsgiTracing
from lambda_streaming.serving.recording.instruments import Answer, Instruments, NoInstruments
from lambda_streaming.serving.recording.phases import Phases
from lambda_streaming.serving.settings import AppSettings, unknown_settings
from lambda_streaming.tracing.handler_phase import HandlerPhase
from lambda_streaming.tracing.invocations import Invocations
from lambda_streaming.tracing.settings import TracingSettings
from lambda_streaming.tracing.step import Scalar
from lambda_streaming.tracing.tracer import Tracing

logger = logging.getLogger(__name__)

_TRACING_PACKAGES = (
    "aws_lambda_powertools",
    "aws_xray_sdk",
    "opentelemetry.sdk",
    "opentelemetry.exporter.otlp.proto.http",
)


class MakeApp(Protocol):
    """Makes the app of one process, and its part in the life of the process."""

    def __call__(
        self, settings: AppSettings, instruments: Instruments
    ) -> tuple[App, AppLifeCycle]: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What a handler was made with. `given` are the settings among its arguments, `tracing` is
    `join`, `own` or `off`."""

    make_app: MakeApp
    given: Mapping[str, Any]
    door_options: DoorOptions
    answer_options: AnswerOptions
    other_events: OtherEvents | None
    tracing: str

    def answering(self, app: App, settings: AppSettings) -> Answering:
        return Answering(
            app,
            settings,
            door_options=self._door_options(settings),
            answer_options=self.answer_options,
            other_events=self.other_events,
        )

    def _door_options(self, settings: AppSettings) -> DoorOptions:
        own = self.door_options
        return DoorOptions(
            settings.root_path, own.trusted_hops, own.host_header, own.authorization_header
        )


def composed(plan: Plan, environ: MutableMapping[str, str]) -> Service:
    """Raises SettingsError for environment variables that cannot be used, and what the app's
    import raises."""
    settings = AppSettings.from_environ(environ, plan.given)
    for name, nearest in unknown_settings(environ):
        hint = f"did you mean {nearest}?" if nearest else "no setting has a name like it"
        logger.warning("%s is set and has no effect: %s", name, hint)
    if plan.tracing == "off" or not is_tracing_installed():
        app, life_cycle = plan.make_app(settings, NoInstruments())
        return Service(
            plan.answering(app, settings).handle,
            UntracedLifeCycle(life_cycle),
            empty_body=settings.empty_body,
        )
    return _traced(plan, settings, environ)


def _traced(plan: Plan, settings: AppSettings, environ: MutableMapping[str, str]) -> Service:
    from aws_lambda_powertools import Logger
    from aws_xray_sdk.core import xray_recorder

    tracing_settings = TracingSettings.from_environ(environ)
    clock, invocations = SystemClock(), Invocations()
    correlation = tell_invocations_apart(
        invocations,
        logger=Logger(service=tracing_settings.service_name),
        recorder=xray_recorder,
        clock=clock,
    )
    joins = plan.tracing == "join"
    tracing = Tracing(tracing_settings, environ, clock, joins_app_spans=joins)
    handler_phase = HandlerPhase(xray_recorder, tracing_settings.service_name, invocations, environ)

    def annotate(name: str, value: Scalar) -> None:
        subsegment = xray_recorder.current_subsegment()
        if subsegment is not None:
            subsegment.put_annotation(name, value)

    instruments = TracedInstruments(
        Phases(
            handler_phase,
            tracing,
            bind_log=correlation.bind_span,
            steady_seconds=clock.steady_seconds,
            joins=joins,
        ),
        AsgiTracing(
            handler_phase,
            tracing,
            clock,
            bind_log=correlation.bind_span,
            annotate=annotate,
            is_cold_start=invocations.is_first,
            joins=joins,
        ),
    )
    app, app_life_cycle = plan.make_app(settings, instruments)
    life_cycle = TracedLifeCycle(
        tracing, invocations, environ=environ, clock=clock, app=app_life_cycle
    )
    return Service(plan.answering(app, settings).handle, life_cycle, empty_body=settings.empty_body)


class TracedInstruments:
    def __init__(self, phases: Phases, asgi: AsgiTracing) -> None:
        self._phases = phases
        self._asgi = asgi

    async def run(self, call: Callable[[], Awaitable[Answer]], request: Request) -> Answer:
        return await self._phases.run(call, request)

    async def run_asgi(self, call: Callable[[], Awaitable[Answer]], request: Request) -> Answer:
        return await self._asgi.run(call, request)

    def observe(self, request: Request) -> Observer:
        return self._asgi.observe(request)


def is_tracing_installed() -> bool:
    """Whether the packages of the extra `tracing` are there."""
    try:
        return all(find_spec(name) is not None for name in _TRACING_PACKAGES)
    except ModuleNotFoundError:  # a parent package
        return False
