"""One door to the streaming phase's tracing: a trace per stream, and the flush after it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lambda_streaming.clock import Clock
from lambdas.sse_streaming.settings import Settings
from lambdas.sse_streaming.tracing.budget import SpanBudget, UnlimitedBudget
from lambdas.sse_streaming.tracing.delivery import (
    FULL_DETAIL_BATCH_SPANS,
    Outcome,
    SpanDelivery,
    Wire,
)
from lambdas.sse_streaming.tracing.header import TraceHeader
from lambdas.sse_streaming.tracing.operation import StreamTrace, UntracedStream

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Tracer

    from lambdas.sse_streaming.tracing.otlp import OtlpWire


_log = logging.getLogger(__name__)


class StreamTracing:
    """Built once at init; OpenTelemetry itself is imported with the first sampled stream."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], clock: Clock) -> None:
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._tracer: Tracer | None = None
        self._wire: OtlpWire | None = None
        self.defect: str | None = None
        """The name of the exception that keeps OpenTelemetry from making spans here."""
        self.delivery = SpanDelivery(
            self._make_wire,
            settings.flush_seconds,
            batch_spans=FULL_DETAIL_BATCH_SPANS if settings.trace_full_detail else None,
        )

    def start_stream(
        self, header: TraceHeader, previous: tuple[str, str] | None = None
    ) -> StreamTrace:
        """Begin the trace of a stream. `previous` is the (trace id, root span id) in hex of the
        connection that the client had before."""
        if not header.records or self._settings.otel_disabled or self.defect is not None:
            return UntracedStream(header.root)
        try:
            return self._sampled(header, previous)
        except Exception as error:
            self._go_without(error)
            return UntracedStream(header.root)

    def _sampled(self, header: TraceHeader, previous: tuple[str, str] | None) -> StreamTrace:
        from lambdas.sse_streaming.tracing.spans import SampledStream

        assert header.trace_id is not None
        trace_id = int(header.trace_id, 16)
        delivery = self.delivery
        return SampledStream(
            self._own_tracer(),
            header,
            now_ns=self._clock.wall_ns,
            budget=(
                UnlimitedBudget()
                if self._settings.trace_full_detail
                else SpanBudget(self._settings.trace_span_budget)
            ),
            slow_ms=self._settings.trace_slow_ms,
            previous=previous,
            spans_lost=lambda: delivery.lost_spans_of(trace_id),
            export=delivery.flush_in_background,
            on_lost=lambda count: delivery.lose(count, trace_id),
        )

    def probe(self, header: TraceHeader) -> Outcome | None:
        """Make one span and export it now. None where nothing is recorded."""
        if not header.records or self._settings.otel_disabled:
            return None
        if self.defect is not None:
            return Outcome.FAILED
        try:
            from lambdas.sse_streaming.tracing.spans import probe_span

            probe_span(self._own_tracer(), header, self._clock.wall_ns())
        except Exception as error:
            self._go_without(error)
            return Outcome.FAILED
        self.delivery.flush()
        return self.delivery.last_outcome

    def _own_tracer(self) -> Tracer:
        if self._tracer is None:
            from lambdas.sse_streaming.tracing.provider import build_tracer

            self._tracer = build_tracer(self._settings.service_name, self.delivery, self._environ)
        return self._tracer

    def _go_without(self, error: Exception) -> None:
        """Streams come first. A tracer that cannot be built once will not be the next time."""
        if self._tracer is None:
            self.defect = type(error).__name__
        _log.warning(
            "no spans of the streaming phase are recorded %s: %s: %s",
            "by this environment" if self._tracer is None else "of one stream",
            type(error).__name__,
            error,
        )

    @property
    def last_problem(self) -> str | None:
        """Why the latest export was not delivered: `HTTP 500` or an exception's name."""
        if self.defect is not None:
            return self.defect
        return self._wire.last_problem if self._wire else None

    def _make_wire(self) -> Wire:
        from lambdas.sse_streaming.tracing.otlp import OtlpWire

        self._wire = OtlpWire(self._settings.otlp_endpoint)
        return self._wire
