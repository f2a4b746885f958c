"""The streaming phase's tracing with a collector in memory and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from opentelemetry.sdk.trace import ReadableSpan

from lambdas.sse_streaming.settings import Settings
from lambdas.sse_streaming.tracing.delivery import Outcome, SpanDelivery
from lambdas.sse_streaming.tracing.header import TraceHeader, parse_trace_header
from lambdas.sse_streaming.tracing.operation import StreamFacts, StreamTrace
from lambdas.sse_streaming.tracing.streaming import StreamTracing
from tests.fakes.streams import make_settings

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
TRACE_ID = "5759e988bd862e3fe1be46a994272793"
PARENT_ID = "53995c3f42cd8ad8"
SAMPLED = f"Root={ROOT};Parent={PARENT_ID};Sampled=1"

START_NS = 1_795_000_000_000_000_000


@dataclass(slots=True)
class MemoryWire:
    """Implements Wire: keeps every batch, and answers as told (the last answer over and over)."""

    outcomes: list[Outcome] = field(default_factory=lambda: [Outcome.DELIVERED])
    batches: list[list[ReadableSpan]] = field(default_factory=list)
    timeouts: list[float] = field(default_factory=list)
    on_post: Callable[[], None] = lambda: None
    rejected_spans: int = 0

    def post(self, spans: Sequence[ReadableSpan], timeout_seconds: float) -> Outcome:
        self.batches.append(list(spans))
        self.timeouts.append(timeout_seconds)
        self.on_post()
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]

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

    def __init__(self, settings: Settings | None = None, wire: MemoryWire | None = None) -> None:
        self.wire = wire or MemoryWire()
        self.clock = StepClock()
        self.tracing = StreamTracing(settings or make_settings(), {}, self.clock)
        self.tracing.delivery = SpanDelivery(lambda: self.wire, flush_seconds=5)

    def start(
        self,
        header: str | TraceHeader = SAMPLED,
        previous: tuple[str, str] | None = None,
    ) -> StreamTrace:
        read = parse_trace_header(header) if isinstance(header, str) else header
        return self.tracing.start_stream(read, previous)

    def flushed(self) -> list[ReadableSpan]:
        """Everything exported so far, after a flush."""
        self.tracing.delivery.flush()
        return self.wire.spans


def facts(end_reason: str = "rotate", connection_id: str | None = "7.abc") -> StreamFacts:
    return StreamFacts(
        connection_id=connection_id,
        session_id="0" * 18,
        connection_sequence=3,
        events_yielded=5,
        bytes_sent=700,
        polls=9,
        stream_ms=1234.5678,
        end_reason=end_reason,
        is_cold_start=True,
    )
