"""The records of both tracers, in memory, by trace id.

X-Ray documents come from the daemon's UDP port (the handler phase) and from the local stack, which
plays the Lambda service's own segments; OTel spans come from the collector (the streaming phase).
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from local_aws.traces.records import Record, carries, from_document, from_export, summarise
from local_aws.traces.xray import go_json, limits
from local_aws.traces.xray.documents import xray_trace_id

MAX_TRACES = 300
# More than a `SSE_TRACE_DETAIL=full` stream of fifteen minutes makes at five events a second.
MAX_RECORDS_PER_TRACE = 20_000
_KEPT_BATCHES = 1_000
_MAX_UNREAD = 64
"""Exports waiting to be translated into records."""


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
    resends: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    summary: dict[str, Any] | None = None  # made when asked for, until a record is added

    def summarised(self) -> dict[str, Any]:
        if self.summary is None:
            self.summary = summarise(self.trace_id, list(self.records.values()))
        return self.summary


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
        self._unread: deque[tuple[str, Callable[[], list[Record]], float, int]] = deque()
        self._batches: deque[Batch] = deque(maxlen=_KEPT_BATCHES)

    def add_otel(
        self, request: ExportTraceServiceRequest, *, size_bytes: int | None = None
    ) -> None:
        """Takes one export; `size_bytes` is its size on the wire where the caller knows it.

        It is translated when the store is read next: a collector must not keep its client waiting.
        """
        now = self._clock()
        size = request.ByteSize() if size_bytes is None else size_bytes
        self._add("otel", lambda: from_export(request, received_at=now), now, size)

    def add_segment(self, document: Mapping[str, Any]) -> None:
        """Takes one X-Ray document, its embedded subsegments too.

        Raises ValueError, naming the field, if the document lacks what X-Ray requires of it.
        """
        now = self._clock()
        records = from_document(document, received_at=now)
        self._add("xray", lambda: records, now, len(go_json.encode(document)))

    def traces(
        self, *, annotation: tuple[str, str] | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Summaries, newest trace first; with `annotation`, only traces that carry that value."""
        with self._reading():
            summaries = [
                dict(trace.summarised())
                for trace in self._traces.values()
                if annotation is None or carries(trace.records.values(), *annotation)
            ]
        summaries.sort(key=lambda s: s["start"], reverse=True)
        return summaries[:limit]

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        """One trace, by either form of its id; None if no record of it is held.

        `read_at` is the time of reading: the end, so far, of a trace in progress.
        """
        wanted = xray_trace_id(trace_id.strip().lower())
        with self._reading():
            trace = self._traces.get(wanted)
            if trace is None:
                return None
            records = sorted(trace.records.values(), key=lambda r: (r.start, r.end or r.start))
            summary, dropped = trace.summarised(), trace.dropped
        evidence = [r.evidence() for r in records]
        return {
            **summary,
            "read_at": self._clock(),
            "records": [r.as_json() for r in records],
            "records_dropped": dropped,
            "verdicts": [v.as_json() for v in limits.check(evidence)],
            "size": limits.sizes(evidence).as_json(),
            "links": self._links(summary, records),
        }

    def records(self, trace_id: str | None = None) -> list[Record]:
        """Every record held, or one trace's, in the order of arrival: for tests."""
        wanted = None if trace_id is None else xray_trace_id(trace_id)
        with self._reading():
            return list(self._iterate(wanted))

    @property
    def batches(self) -> list[Batch]:
        with self._reading():
            return list(self._batches)

    @property
    def resends(self) -> dict[str, int]:
        """How often each record was sent *again*, by its id."""
        with self._reading():
            return {i: n for trace in self._traces.values() for i, n in trace.resends.items()}

    def clear(self) -> None:
        with self._reading():
            self._traces.clear()
            self._batches.clear()

    def _iterate(self, trace_id: str | None) -> Iterator[Record]:
        for trace in self._traces.values():
            if trace_id in (None, trace.trace_id):
                yield from trace.records.values()

    def _add(
        self, source: str, records: Callable[[], list[Record]], now: float, size_bytes: int
    ) -> None:
        with self._lock:
            self._unread.append((source, records, now, size_bytes))
            if len(self._unread) >= _MAX_UNREAD:
                self._read()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            self._read()
            yield

    def _read(self) -> None:
        while self._unread:
            source, make_records, received_at, size_bytes = self._unread.popleft()
            records = make_records()
            ids = frozenset(r.trace_id for r in records)
            self._batches.append(Batch(source, received_at, len(records), size_bytes, ids))
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
                trace.resends[record.id] += 1
        elif len(trace.records) >= self._max_records:
            trace.dropped += 1
            return
        trace.records[record.id] = record
        trace.summary = None

    def _links(self, summary: dict[str, Any], records: list[Record]) -> dict[str, Any]:
        """The neighbours of this trace's connection in its session, and the spans linked to."""
        links: dict[str, Any] = {
            "previous": None,
            "next": None,
            "spans": [link for r in records for link in r.links],
        }
        if before := summary["previous_trace_id"]:
            links["previous"] = {"trace_id": before, "held": self._holds(before)}
        session, sequence = summary["session_id"], summary["connection_sequence"]
        if session is None:
            return links
        for other in self.traces(annotation=("session_id", str(session)), limit=self._max_traces):
            follows = isinstance(sequence, int) and other["connection_sequence"] == sequence + 1
            if follows or other["previous_trace_id"] == summary["trace_id"]:
                links["next"] = {"trace_id": other["trace_id"], "held": True}
        return links

    def _holds(self, trace_id: str) -> bool:
        with self._reading():
            return xray_trace_id(trace_id) in self._traces
