"""One export attempt and its result.

OpenTelemetry's `SpanExporter` answers SUCCESS or FAILURE, and takes as long as it takes. Behind
the collector's X-Ray exporter that is too little: it calls X-Ray once per 50 documents before it
answers, so a batch without an answer in time is most likely delivered, and sending it again would
cost the trace's size limit twice (github.com/open-telemetry/opentelemetry-collector-contrib,
exporter/awsxrayexporter/awsxray.go).
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lambda_streaming.tracing.aws_requests import unrecorded

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter


class Outcome(enum.Enum):
    """FAILED may be tried again: the collector has nothing. REJECTED is permanent."""

    DELIVERED = "delivered"
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class ExportReport:
    """`rejected_spans` is how many of a delivered batch the collector refused. `problem` says why
    a batch was not delivered whole: `HTTP 500`, an exception's name, `not OTLP`."""

    outcome: Outcome
    rejected_spans: int = 0
    problem: str | None = None


class OneTryExporter(Protocol):
    """Tries a batch once, within the time given, answer included."""

    def export_within(
        self, spans: Sequence[ReadableSpan], timeout_seconds: float
    ) -> ExportReport: ...


class AnyExporter:
    """Bounds any other `SpanExporter`, such as an app's own, with the retries it may make."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export_within(self, spans: Sequence[ReadableSpan], timeout_seconds: float) -> ExportReport:
        from opentelemetry.sdk.trace.export import SpanExportResult

        reports: list[ExportReport] = []

        def export() -> None:
            try:
                with unrecorded():
                    result = self._exporter.export(spans)
            except Exception as error:
                reports.append(ExportReport(Outcome.FAILED, problem=type(error).__name__))
                return
            is_delivered = result is SpanExportResult.SUCCESS
            problem = None if is_delivered else "the exporter failed"
            outcome = Outcome.DELIVERED if is_delivered else Outcome.FAILED
            reports.append(ExportReport(outcome, problem=problem))

        thread = threading.Thread(target=export, name="span-exporter", daemon=True)
        thread.start()
        thread.join(timeout_seconds)
        return reports[0] if reports else ExportReport(Outcome.UNCONFIRMED)


class NoExporter:
    """Stands for an exporter that could not be built: every span is lost, and counted."""

    def __init__(self, problem: str) -> None:
        self._problem = problem

    def export_within(self, spans: Sequence[ReadableSpan], timeout_seconds: float) -> ExportReport:
        return ExportReport(Outcome.REJECTED, len(spans), self._problem)
