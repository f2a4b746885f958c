"""What both tracers have sent, held in memory and put together by trace id.

X-Ray documents come from the daemon's UDP port (the handler phase) and from the local stack, which
plays the Lambda service's own segments; OTel spans come from the collector (the streaming phase).
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from local_aws import go_json, trace_records, xray_limits
from local_aws.trace_records import Record
from local_aws.xray_documents import xray_trace_id

MAX_TRACES = 300
# More than a `SSE_TRACE_DETAIL=full` stream of fifteen minutes makes at five events a second.
MAX_RECORDS_PER_TRACE = 20_000
_KEPT_BATCHES = 1_000


@dataclass(frozen=True, slots=True)
class Batch:
    """One export that the collector has taken, or one datagram of the daemon."""

    source: str
    received_at: float
    records: int
    size_bytes: int
    trace_ids: frozenset[str]


@dataclass(slots=True)
class _Trace:
    trace_id: str
    records: dict[str, Record] = field(default_factory=dict)
    dropped: int = 0


class TraceStore:
    """Bounded: the oldest trace leaves when a new one does not fit. Safe to use from any thread.

    A record sent again under the same id replaces the first, as X-Ray does it
    (https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html).
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        max_traces: int = MAX_TRACES,
        max_records_per_trace: int = MAX_RECORDS_PER_TRACE,
    ) -> None:
        self._clock = clock
        self._max_traces = max_traces
        self._max_records = max_records_per_trace
        self._lock = threading.Lock()
        self._traces: OrderedDict[str, _Trace] = OrderedDict()
        self._batches: deque[Batch] = deque(maxlen=_KEPT_BATCHES)
        self._resends: Counter[str] = Counter()

    def add_otel(
        self, request: ExportTraceServiceRequest, *, size_bytes: int | None = None
    ) -> None:
        """Takes one export; `size_bytes` is its size on the wire where the caller knows it."""
        now = self._clock()
        records = trace_records.from_export(request, received_at=now)
        size = request.ByteSize() if size_bytes is None else size_bytes
        self._add("otel", records, now, size)

    def add_segment(self, document: Mapping[str, Any]) -> None:
        """Takes one X-Ray document, its embedded subsegments too.

        Raises ValueError, naming the field, if the document lacks what X-Ray requires of it.
        """
        now = self._clock()
        records = trace_records.from_document(document, received_at=now)
        self._add("xray", records, now, len(go_json.encode(document)))

    def traces(
        self, *, annotation: tuple[str, str] | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Summaries, newest trace first; with `annotation`, only traces that carry that value."""
        with self._lock:
            held = [(t.trace_id, list(t.records.values())) for t in self._traces.values()]
        summaries = [
            trace_records.summary(trace_id, records)
            for trace_id, records in held
            if annotation is None or trace_records.carries(records, *annotation)
        ]
        summaries.sort(key=lambda s: s["start"], reverse=True)
        return summaries[:limit]

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        """Everything known of one trace, by either form of its id; None if nothing is."""
        wanted = xray_trace_id(trace_id.strip().lower())
        with self._lock:
            trace = self._traces.get(wanted)
            if trace is None:
                return None
            records = sorted(trace.records.values(), key=lambda r: (r.start, r.end or r.start))
            dropped = trace.dropped
        verdicts = xray_limits.check([r.evidence() for r in records])
        return {
            **trace_records.summary(wanted, records),
            "records": [r.as_json() for r in records],
            "records_dropped": dropped,
            "verdicts": [v.as_json() for v in verdicts],
            "size": xray_limits.sizes([r.evidence() for r in records]).as_json(),
            "links": self._links(wanted, records),
        }

    def records(self, trace_id: str | None = None) -> list[Record]:
        """Every record held, or one trace's, in the order of arrival: for tests."""
        wanted = None if trace_id is None else xray_trace_id(trace_id)
        with self._lock:
            return list(self._iterate(wanted))

    @property
    def batches(self) -> list[Batch]:
        with self._lock:
            return list(self._batches)

    @property
    def resends(self) -> dict[str, int]:
        """How often each record was sent *again*, by its id."""
        with self._lock:
            return dict(self._resends)

    def clear(self) -> None:
        with self._lock:
            self._traces.clear()
            self._batches.clear()
            self._resends.clear()

    def _iterate(self, trace_id: str | None) -> Iterator[Record]:
        for trace in self._traces.values():
            if trace_id in (None, trace.trace_id):
                yield from trace.records.values()

    def _add(self, source: str, records: list[Record], now: float, size_bytes: int) -> None:
        ids = frozenset(r.trace_id for r in records)
        with self._lock:
            self._batches.append(Batch(source, now, len(records), size_bytes, ids))
            for record in records:
                self._add_record(record)

    def _add_record(self, record: Record) -> None:
        trace = self._traces.get(record.trace_id)
        if trace is None:
            if len(self._traces) >= self._max_traces:
                self._traces.popitem(last=False)
            trace = self._traces[record.trace_id] = _Trace(record.trace_id)
        before = trace.records.get(record.id)
        if before is not None:
            if not before.in_progress:
                self._resends[record.id] += 1
        elif len(trace.records) >= self._max_records:
            trace.dropped += 1
            return
        trace.records[record.id] = record

    def _links(self, trace_id: str, records: list[Record]) -> dict[str, Any]:
        """The neighbours of this trace's connection in its session, by connection_sequence."""
        mine = trace_records.summary(trace_id, records)
        links: dict[str, Any] = {
            "previous": None,
            "next": None,
            "spans": [link for r in records for link in r.links],
        }
        previous = mine["previous_trace_id"]
        if previous:
            links["previous"] = {"trace_id": previous, "held": self._holds(previous)}
        if mine["session_id"] is None or mine["connection_sequence"] is None:
            return links
        found = ("session_id", str(mine["session_id"]))
        for other in self.traces(annotation=found, limit=self._max_traces):
            sequence = other["connection_sequence"]
            if other["previous_trace_id"] == trace_id or (
                isinstance(sequence, int) and sequence == mine["connection_sequence"] + 1
            ):
                links["next"] = {"trace_id": other["trace_id"], "held": True}
        return links

    def _holds(self, trace_id: str) -> bool:
        with self._lock:
            return xray_trace_id(trace_id) in self._traces
