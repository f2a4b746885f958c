"""The streaming phase's tracing of one process: starts traces, exports their spans."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lambda_streaming.clock import Clock
from lambda_streaming.runtime.error_report import log_failure
from lambda_streaming.tracing.budget.policy import SpanBudget, UnlimitedBudget
from lambda_streaming.tracing.export.buffer import FULL_DETAIL_BATCH_SPANS, SpanBuffer
from lambda_streaming.tracing.export.one_try import (
    AnyExporter,
    NoExporter,
    OneTryExporter,
    Outcome,
)
from lambda_streaming.tracing.header import TraceHeader
from lambda_streaming.tracing.settings import TracingSettings
from lambda_streaming.tracing.step import Offload, Scalar, Trace, default_offload

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Tracer, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

    from lambda_streaming.tracing.export.app_spans import RunningTraces

_log = logging.getLogger(__name__)


class Tracing:
    """Built once at init; OpenTelemetry itself is imported with the first sampled trace.

    `offload` runs the blocking work of steps on worker threads. `make_exporter` replaces OTLP to
    the collector; it is called with the first export. With `joins_app_spans`, spans of the app's
    own OpenTelemetry are in the same traces, or exported after the answer where the app has a
    TracerProvider of its own.
    """

    def __init__(
        self,
        settings: TracingSettings,
        environ: Mapping[str, str],
        clock: Clock,
        offload: Offload = default_offload,
        make_exporter: Callable[[], SpanExporter] | None = None,
        *,
        joins_app_spans: bool = False,
        tells_outages_once: bool = False,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._offload = offload
        self._tracer: Tracer | None = None
        self._joins_app_spans = joins_app_spans
        self._running: RunningTraces | None = None
        self._app_provider: TracerProvider | None = None
        """Ours, where the app has none."""
        self._foreign_flush: threading.Thread | None = None
        self._has_told_slow_provider = False
        self._make_other_exporter = make_exporter
        self.defect: str | None = None
        """The name of the exception that keeps OpenTelemetry from making spans here."""
        self.buffer = SpanBuffer(
            self._make_exporter,
            settings.flush_seconds,
            batch_spans=FULL_DETAIL_BATCH_SPANS if settings.is_full_detail else None,
            tells_outages_once=tells_outages_once,
        )

    def start(
        self,
        name: str,
        header: TraceHeader,
        *,
        link_to: tuple[str, str] | None = None,
        **attributes: Scalar,
    ) -> Trace:
        """Begin the trace of a streaming phase, with a root span of this name.

        `link_to` is the (trace id, span id) in hex of a span to link the root to. Attributes of the
        root may be given now or to `Trace.end`.
        """
        if not header.records or self._settings.is_disabled or self.defect is not None:
            return Trace(header.root, self._offload)
        try:
            return self._sampled(name, header, link_to, attributes)
        except Exception as error:
            self._go_without(error, for_good=self._tracer is None)
            return Trace(header.root, self._offload)

    def _sampled(
        self,
        name: str,
        header: TraceHeader,
        link_to: tuple[str, str] | None,
        attributes: Mapping[str, Scalar],
    ) -> Trace:
        from lambda_streaming.tracing.sampled import SampledTrace

        assert header.trace_id is not None
        trace_id = int(header.trace_id, 16)
        buffer = self.buffer
        return SampledTrace(
            self._own_tracer(),
            name,
            header,
            offload=self._offload,
            now_ns=self._clock.wall_ns,
            budget=(
                UnlimitedBudget()
                if self._settings.is_full_detail
                else SpanBudget(self._settings.span_budget)
            ),
            slow_ms=self._settings.slow_ms,
            link_to=link_to,
            attributes=attributes,
            spans_lost=lambda: buffer.lost_spans_of(trace_id),
            export=buffer.flush_in_background,
            on_lost=lambda count: buffer.lose(count, trace_id),
            running=self._running,
        )

    def probe(self, name: str, header: TraceHeader) -> Outcome | None:
        """Make one span and export it now. None where nothing is recorded."""
        if not header.records or self._settings.is_disabled:
            return None
        if self.defect is not None:
            return Outcome.FAILED
        try:
            from lambda_streaming.tracing.sampled import probe_span

            probe_span(self._own_tracer(), name, header, self._clock.wall_ns())
        except Exception as error:
            self._go_without(error, for_good=self._tracer is None)
            return Outcome.FAILED
        self.buffer.flush()
        return self.buffer.last_outcome

    def _own_tracer(self) -> Tracer:
        if self._tracer is None:
            from lambda_streaming.tracing.export.provider import build_tracer, function_resource

            resource = function_resource(self._settings.service_name, self._environ)
            self._tracer = build_tracer(resource, self.buffer)
            if self._joins_app_spans:
                self._join(resource)
        return self._tracer

    def _join(self, resource: Resource) -> None:
        from lambda_streaming.tracing.export.app_spans import RunningTraces, join_app_spans

        running = RunningTraces()
        self._app_provider = join_app_spans(resource, self.buffer, running)
        if self._app_provider is not None:
            self._running = running

    @property
    def has_work(self) -> bool:
        """Whether there is something to export."""
        return self.buffer.has_work or self._foreign_provider() is not None

    def flush(self) -> None:
        """Blocks until what has ended is exported, or the time for it is up."""
        seconds = self._settings.flush_seconds
        ends_at = self._clock.steady_seconds() + seconds
        foreign = self._flush_of_the_apps_own(seconds)
        self.buffer.flush()
        if foreign is not None:
            foreign.join(max(0.0, ends_at - self._clock.steady_seconds()))
            if foreign.is_alive() and not self._has_told_slow_provider:
                self._has_told_slow_provider = True
                _log.warning(
                    "the app's own TracerProvider takes longer than %g s to export: the next"
                    " invocation does not wait for it",
                    seconds,
                )

    def _flush_of_the_apps_own(self, seconds: float) -> threading.Thread | None:
        """A thread of its own: OpenTelemetry's batch processor heeds no time limit."""
        provider = self._foreign_provider()
        if provider is None:
            return None
        if self._foreign_flush is None or not self._foreign_flush.is_alive():

            def flush() -> None:
                try:
                    provider.force_flush(round(seconds * 1000))
                except Exception as error:
                    log_failure(_log, "the app's own TracerProvider failed to export", error)

            self._foreign_flush = threading.Thread(target=flush, name="app-flush", daemon=True)
            self._foreign_flush.start()
        return self._foreign_flush

    def _foreign_provider(self) -> Any:
        """The app's own TracerProvider, if it has set one that can be told to export."""
        api = sys.modules.get("opentelemetry.trace") if self._joins_app_spans else None
        provider = None if api is None else api.get_tracer_provider()
        if provider is self._app_provider or not hasattr(provider, "force_flush"):
            return None
        return provider

    def _go_without(self, error: Exception, *, for_good: bool) -> None:
        """Tracing never fails a stream. What cannot be built once cannot be built later either."""
        if for_good:
            self.defect = type(error).__name__
        _log.warning(
            "no spans of the streaming phase are recorded %s: %s: %s",
            "by this environment" if for_good else "of one stream",
            type(error).__name__,
            error,
        )

    @property
    def last_problem(self) -> str | None:
        """Why the latest export was not delivered: `HTTP 500` or an exception's name."""
        return self.defect or self.buffer.last_problem

    def _make_exporter(self) -> OneTryExporter:
        try:
            if self._make_other_exporter is not None:
                return AnyExporter(self._make_other_exporter())
            from lambda_streaming.tracing.export.otlp import OtlpExporter

            return OtlpExporter(self._settings.otlp_endpoint)
        except Exception as error:
            self._go_without(error, for_good=True)
            return NoExporter(type(error).__name__)
