"""An app with both its phases in one trace."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any

from lambda_streaming.bridge.observer import Observer
from lambda_streaming.requests import Request
from lambda_streaming.runtime.invoker import LifeCycle
from lambda_streaming.serving.life_cycle import AppLifeCycle, TracedLifeCycle
from lambda_streaming.serving.recording.asgi_trace import AsgiTracing
from lambda_streaming.serving.recording.instruments import Answer, Instruments
from lambda_streaming.serving.recording.phases import Phases
from lambda_streaming.serving.recording.tracers import Tracers
from lambda_streaming.tracing.diagnosis.report import Report, reports_with, with_state
from lambda_streaming.tracing.header import parse_trace_header


def traced_app(
    environ: MutableMapping[str, str], *, joins: bool
) -> tuple[Instruments, Callable[[AppLifeCycle], LifeCycle]]:
    """What records the requests of an app, and what makes the life cycle of its process from the
    app's part in it. With `joins` the app's own OpenTelemetry is in the same trace.

    Raises SettingsError for environment variables that cannot be used.
    """
    tracers = Tracers.of_process(environ, joins=joins)
    instruments = TracedInstruments(
        Phases(tracers), AsgiTracing(tracers), partial(_report, tracers, environ)
    )

    def around(app: AppLifeCycle) -> LifeCycle:
        return TracedLifeCycle(
            tracers.tracing,
            tracers.invocations,
            environ=environ,
            clock=tracers.clock,
            app=app,
        )

    return instruments, around


def _report(tracers: Tracers, environ: Mapping[str, str], trace_header: str | None) -> Report:
    # Few processes are ever asked.
    from lambda_streaming.tracing.diagnosis.checks import Diagnosis
    from lambda_streaming.tracing.diagnosis.instrumentations import (
        installed_instrumentors,
        instrumentations,
    )
    from lambda_streaming.tracing.diagnosis.settings import DiagnosisSettings

    version = environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    diagnosis = Diagnosis(
        DiagnosisSettings(tracers.settings, version, has_app_telemetry=True),
        environ,
        tracers.tracing,
        tracers.clock,
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
        self._reports(request.context)
        return await self._phases.run(call, request)

    async def run_asgi(self, call: Callable[[], Awaitable[Answer]], request: Request) -> Answer:
        self._reports(request.context)
        return await self._asgi.run(call, request)

    async def run_event(self, call: Callable[[], Awaitable[Any]], context: object) -> Any:
        self._reports(context)
        return await self._phases.run_event(call)

    def observe(self, request: Request) -> Observer:
        return self._asgi.observe(request)

    def _reports(self, context: object) -> None:
        reports_with(partial(self._report, getattr(context, "trace_header", None)))
