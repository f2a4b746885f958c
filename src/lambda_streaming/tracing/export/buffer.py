"""Ended spans between the tracer and the exporter.

OpenTelemetry's BatchSpanProcessor ignores the timeout of a flush, reports success when it failed
and drops a batch that failed (opentelemetry/sdk/_shared_internal, 1.45).
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lambda_streaming.tracing.export.one_try import (
    ExportReport,
    OneTryExporter,
    Outcome,
)

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_log = logging.getLogger(__name__)

MAX_KEPT_SPANS = 1000
FULL_DETAIL_BATCH_SPANS = 512
_MAX_TRACES = 100
"""How many traces keep a loss count; the oldest is forgotten first."""


class _Told(enum.IntEnum):
    """What the log says of a collector that takes nothing: one line when it begins, one when the
    first spans are lost by it, and nothing more before it has taken some again. Where there is none
    at all, each flush would have a line."""

    NOTHING = 0
    KEPT = 1
    LOST = 2


class SpanBuffer:
    """Collects ended spans, and exports them when told to.

    A batch that failed is kept, at most MAX_KEPT_SPANS with the oldest dropped first, and tried
    once more with the next flush; after that it is lost. A rejected batch is lost at once. Losses
    are counted for the environment (`take_counts`) and for each trace (its root span says them).

    Each flush that loses spans is logged, for alarms that count the lines; with
    `tells_outages_once`, only the first one of an outage.
    """

    def __init__(
        self,
        make_exporter: Callable[[], OneTryExporter],
        flush_seconds: float,
        *,
        batch_spans: int | None = None,
        tells_outages_once: bool = False,
    ) -> None:
        self._make_exporter = make_exporter
        self._exporter: OneTryExporter | None = None
        self._flush_seconds = flush_seconds
        self._batch_spans = batch_spans
        self._ended: list[ReadableSpan] = []
        self._kept: list[ReadableSpan] = []
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._background: threading.Thread | None = None
        self._lost_spans = 0
        self._lost_by_trace: dict[int, int] = {}
        self._failed_flushes = 0
        self._has_told_overflow = False
        self._tells_outages_once = tells_outages_once
        self._told = _Told.NOTHING
        self.last_outcome: Outcome | None = None
        self.last_problem: str | None = None
        """Why the latest export was not delivered whole (`ExportReport.problem`)."""
        self.last_flush_ms: float | None = None

    def add(self, span: ReadableSpan) -> None:
        with self._lock:
            self._ended.append(span)
            overflow = len(self._ended) - 4 * MAX_KEPT_SPANS
            if overflow > 0:
                self._lose(self._ended[:overflow])
                del self._ended[:overflow]
            tells_overflow = overflow > 0 and not self._has_told_overflow
            self._has_told_overflow |= tells_overflow
            is_batch_full = self._batch_spans is not None and len(self._ended) >= self._batch_spans
        if tells_overflow:  # once per flush
            _log.warning("the collector is too slow, the oldest spans are lost")
        if is_batch_full:
            self.flush_in_background()

    def lose(self, count: int, trace_id: int) -> None:
        """Count spans that never reached the buffer."""
        with self._lock:
            self._count_lost(count, trace_id)
        _log.warning("the collector never gets %d spans that ended after their stream: lost", count)

    def give_up(self) -> None:
        """The process exits: spans still here are lost."""
        with self._lock:
            rest = self._kept + self._ended
            self._kept, self._ended = [], []
            self._lose(rest)
        if rest:
            _log.warning("the collector did not take %d spans before the exit: lost", len(rest))

    @property
    def lost_spans(self) -> int:
        """The environment's losses since the last `take_counts`."""
        return self._lost_spans

    def lost_spans_of(self, trace_id: int) -> int:
        """One trace's losses so far: what failed once may still arrive."""
        with self._lock:
            return self._lost_by_trace.get(trace_id, 0)

    def take_counts(self) -> tuple[int, int]:
        """Spans lost and flushes failed since the last call."""
        with self._lock:
            counts = self._lost_spans, self._failed_flushes
            self._lost_spans = self._failed_flushes = 0
        return counts

    @property
    def has_work(self) -> bool:
        return bool(self._ended or self._kept or self._is_background_alive())

    def flush_in_background(self) -> None:
        """Start a flush on a thread of its own; a stream goes on meanwhile."""
        with self._lock:
            if self._is_background_alive():
                return
            thread = threading.Thread(
                target=self._send, args=(self._flush_seconds,), name="span-export", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                return  # no thread can be started: the flush after the stream sends it all
            self._background = thread

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Export everything within the budget. Blocks; never raises.

        A flush in the background is awaited first, within the same budget.
        """
        budget = self._flush_seconds if timeout_seconds is None else timeout_seconds
        deadline = time.monotonic() + budget
        background = self._background
        if background is not None and background.is_alive():
            background.join(budget)
        remaining = deadline - time.monotonic()
        if remaining > 0 and (self._ended or self._kept):
            self._send(remaining)

    def _send(self, timeout_seconds: float) -> None:
        started = time.monotonic()
        if not self._sending.acquire(timeout=timeout_seconds):
            return
        timeout_seconds = max(0.0, started + timeout_seconds - time.monotonic())
        try:
            with self._lock:
                second_try, fresh = self._kept, self._ended
                self._kept, self._ended = [], []
                self._has_told_overflow = False
            batch = second_try + fresh
            if not batch:
                return
            report = self._try(batch, timeout_seconds)
            outcome = self.last_outcome = report.outcome
            self.last_problem = report.problem
            self.last_flush_ms = (time.monotonic() - started) * 1000
            if outcome is Outcome.DELIVERED:
                self._told = _Told.NOTHING
            if outcome is Outcome.FAILED:
                self._keep(fresh, lost=second_try)
            elif outcome is Outcome.REJECTED:
                self._give_up(batch, len(batch))
            elif report.rejected_spans:
                self._give_up(batch, report.rejected_spans)
        finally:
            self._sending.release()

    def _try(self, batch: Sequence[ReadableSpan], timeout_seconds: float) -> ExportReport:
        try:
            if self._exporter is None:
                self._exporter = self._make_exporter()
            return self._exporter.export_within(batch, timeout_seconds)
        except Exception as error:
            # Tracing must not break a stream.
            _log.exception("unexpected failure of an export of %d spans", len(batch))
            return ExportReport(Outcome.FAILED, problem=type(error).__name__)

    def _keep(self, fresh: list[ReadableSpan], lost: list[ReadableSpan]) -> None:
        with self._lock:
            kept = fresh[-MAX_KEPT_SPANS:]
            lost = lost + fresh[:-MAX_KEPT_SPANS]
            self._kept = kept
            self._lose(lost)
            self._failed_flushes += 1
            told, self._told = self._told, max(self._told, _Told.LOST if lost else _Told.KEPT)
        if self._told is not told or (lost and not self._tells_outages_once):
            _log.warning(
                "the collector did not take the spans: %d kept for one more try, %d lost",
                len(kept),
                len(lost),
            )

    def _give_up(self, batch: Sequence[ReadableSpan], rejected: int) -> None:
        with self._lock:
            if rejected >= len(batch):
                self._lose(batch)
                self._failed_flushes += 1
            else:
                # OTLP does not say which ones: most likely they are of the most frequent trace.
                ((trace_id, _),) = Counter(map(_trace_id, batch)).most_common(1)
                self._count_lost(rejected, trace_id)
        _log.warning("the collector rejected %d of %d spans for good: lost", rejected, len(batch))

    def _lose(self, spans: Sequence[ReadableSpan]) -> None:
        for trace_id, count in Counter(map(_trace_id, spans)).items():
            self._count_lost(count, trace_id)

    def _count_lost(self, count: int, trace_id: int) -> None:
        self._lost_spans += count
        counted = self._lost_by_trace.pop(trace_id, 0)
        self._lost_by_trace[trace_id] = counted + count
        if len(self._lost_by_trace) > _MAX_TRACES:
            del self._lost_by_trace[next(iter(self._lost_by_trace))]

    def _is_background_alive(self) -> bool:
        return self._background is not None and self._background.is_alive()


def _trace_id(span: ReadableSpan) -> int:
    return int(span.context.trace_id) if span.context else 0
