"""An app as what a process is built of: its answers, its life cycle, what is recorded of both."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from lambda_streaming.bridge.observer import Observer
from lambda_streaming.clock import Clock, SystemClock
from lambda_streaming.doors.answering import AnswerOptions
from lambda_streaming.doors.options import DoorOptions
from lambda_streaming.requests import Request
from lambda_streaming.serving.answering import Answering, App
from lambda_streaming.serving.life_cycle import AppLifeCycle, TracedLifeCycle, UntracedLifeCycle
from lambda_streaming.serving.other_events import OtherEvents
from lambda_streaming.serving.process import Service, heed_switch, tell_invocations_apart
from lambda_streaming.serving.recording.asgi_trace import AsgiTracing
from lambda_streaming.serving.recording.instruments import Answer, Instruments, NoInstruments
from lambda_streaming.serving.recording.phases import Phases
from lambda_streaming.serving.settings import AppSettings, unknown_settings
from lambda_streaming.tracing.diagnosis.report import (
    Report,
    is_tracing_installed,
    reports_with,
    with_state,
)
from lambda_streaming.tracing.handler_phase import HandlerPhase
from lambda_streaming.tracing.header import parse_trace_header
from lambda_streaming.tracing.invocations import Invocations
from lambda_streaming.tracing.settings import TracingSettings
from lambda_streaming.tracing.step import Scalar
from lambda_streaming.tracing.tracer import Tracing

logger = logging.getLogger(__name__)


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
    heed_switch(environ)
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
        partial(_report, tracing_settings, environ, tracing, clock),
    )
    app, app_life_cycle = plan.make_app(settings, instruments)
    life_cycle = TracedLifeCycle(
        tracing, invocations, environ=environ, clock=clock, app=app_life_cycle
    )
    return Service(plan.answering(app, settings).handle, life_cycle, empty_body=settings.empty_body)


def _report(
    settings: TracingSettings,
    environ: Mapping[str, str],
    tracing: Tracing,
    clock: Clock,
    trace_header: str | None,
) -> Report:
    # Few processes are ever asked.
    from lambda_streaming.tracing.diagnosis.checks import Diagnosis
    from lambda_streaming.tracing.diagnosis.instrumentations import (
        installed_instrumentors,
        instrumentations,
    )
    from lambda_streaming.tracing.diagnosis.settings import DiagnosisSettings

    version = environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    diagnosis = Diagnosis(
        DiagnosisSettings(settings, version, has_app_telemetry=True), environ, tracing, clock
    )
    report = with_state(diagnosis.report(parse_trace_header(trace_header)))
    report["instrumentations"] = instrumentations(installed_instrumentors(), sys.modules)
    return report


class TracedInstruments:
    """`report` is what `trace_report` gives, for the trace header of an invocation."""

    def __init__(
        self, phases: Phases, asgi: AsgiTracing, report: Callable[[str | None], Report]
    ) -> None:
        self._phases = phases
        self._asgi = asgi
        self._report = report

    async def run(self, call: Callable[[], Awaitable[Answer]], request: Request) -> Answer:
        self._reports(request)
        return await self._phases.run(call, request)

    async def run_asgi(self, call: Callable[[], Awaitable[Answer]], request: Request) -> Answer:
        self._reports(request)
        return await self._asgi.run(call, request)

    def observe(self, request: Request) -> Observer:
        return self._asgi.observe(request)

    def _reports(self, request: Request) -> None:
        reports_with(partial(self._report, getattr(request.context, "trace_header", None)))
