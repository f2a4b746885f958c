"""The streaming phase's tracing with a collector in memory and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field

from opentelemetry.sdk.trace import ReadableSpan

from lambda_streaming.tracing.export.buffer import SpanBuffer
from lambda_streaming.tracing.export.one_try import ExportReport, Outcome
from lambda_streaming.tracing.header import TraceHeader, parse_trace_header
from lambda_streaming.tracing.step import (
    Keep,
    Offload,
    Scalar,
    Step,
    Trace,
    default_offload,
)
from lambda_streaming.tracing.tracer import Tracing
from lambdas.sse_streaming.settings import Settings
from lambdas.sse_streaming.streams.stream import ANNOTATIONS
from tests.fakes.streams import make_settings

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
TRACE_ID = "5759e988bd862e3fe1be46a994272793"
PARENT_ID = "53995c3f42cd8ad8"
SAMPLED = f"Root={ROOT};Parent={PARENT_ID};Sampled=1"

START_NS = 1_795_000_000_000_000_000


@dataclass(slots=True)
class MemoryExporter:
    """Implements OneTryExporter: keeps batches, answers as told, the last answer over and over."""

    outcomes: list[Outcome] = field(default_factory=lambda: [Outcome.DELIVERED])
    batches: list[list[ReadableSpan]] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    on_export: Callable[[], None] = lambda: None
    rejected_spans: int = 0

    def export_within(self, spans: Sequence[ReadableSpan], timeout_seconds: float) -> ExportReport:
        self.batches.append(list(spans))
        self.timeouts.append(timeout_seconds)
        self.on_export()
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        return ExportReport(outcome, self.rejected_spans)

    @property
    def spans(self) -> list[ReadableSpan]:
        return [span for batch in self.batches for span in batch]


class StepClock:
    """The package's Clock, standing still between steps of the test."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def wall_ms(self) -> int:
        return self.now_ns // 1_000_000

    def wall_ns(self) -> int:
        return self.now_ns

    def steady_seconds(self) -> float:
        return (self.now_ns - START_NS) / 1e9

    def pass_ms(self, milliseconds: float) -> None:
        self.now_ns += round(milliseconds * 1e6)


class TracingWorld:
    """One process's streaming-phase tracing."""

    def __init__(
        self,
        settings: Settings | None = None,
        exporter: MemoryExporter | None = None,
        offload: Offload = default_offload,
    ) -> None:
        self.exporter = exporter or MemoryExporter()
        self.clock = StepClock()
        self.tracing = Tracing((settings or make_settings()).tracing, {}, self.clock, offload)
        self.tracing.buffer = SpanBuffer(lambda: self.exporter, flush_seconds=5)

    def start(
        self, header: str | TraceHeader = SAMPLED, link_to: tuple[str, str] | None = None
    ) -> Trace:
        read = parse_trace_header(header) if isinstance(header, str) else header
        return self.tracing.start("sse_stream", read, link_to=link_to)

    def flushed(self) -> list[ReadableSpan]:
        """Everything exported so far, after a flush."""
        self.tracing.buffer.flush()
        return self.exporter.spans


def facts(end_reason: str = "rotate", **changes: Scalar) -> dict[str, Scalar]:
    """What a stream says at its end."""
    return {
        "session_id": "0" * 18,
        "connection_sequence": 3,
        "events_yielded": 5,
        "bytes_sent": 700,
        "polls": 9,
        "stream_ms": 1234.568,
        "end_reason": end_reason,
        "is_cold_start": True,
        "connection_id": "7.abc",
        **changes,
    }


def end(
    trace: Trace,
    end_reason: str = "rotate",
    error: BaseException | None = None,
    attributes: Mapping[str, Scalar] | None = None,
) -> None:
    """End the trace as a stream does."""
    trace.end(
        attributes or facts(end_reason),
        annotations=ANNOTATIONS,
        error=error,
        is_fault=end_reason == "error",
        interrupted=end_reason == "shutdown",
    )


def begin(trace: Trace, name: str, *, keep: Keep = Keep.BUDGET, **attributes: Scalar) -> Step:
    """A step under way that is not current here, as another task's would not be."""
    step = trace.step(name, keep=keep, **attributes)
    return copy_context().run(step.__enter__)


def finish(step: Step, error: BaseException | None = None) -> None:
    step.__exit__(None if error is None else type(error), error, None)
