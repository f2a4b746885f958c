"""Verdicts on a trace: which of its documents X-Ray drops, alters or shows wrongly.

X-Ray reports none of this to the sender: PutTraceSegments answers 200 and lists what it did not
process, and the collector writes that list at debug level only (awsxrayexporter/awsxray.go).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_aws.feed.function import is_stream
from local_aws.traces.xray.span_limits import SCHEMA, SPAN_RULES
from local_aws.traces.xray.verdicts import Evidence, Severity, Verdict

MAX_DOCUMENT_BYTES = 64 * 1024
TRACE_BUDGET_BULK_BYTES = 500 * 1000
TRACE_BUDGET_TRICKLED_BYTES = 100 * 1000
# Documents of one trace that arrive further apart than this are no longer one bulk. AWS names no
# number; this one errs on the safe side.
BULK_SECONDS = 10.0
MAX_ANNOTATIONS_PER_TRACE = 50
MAX_KEY_CHARS = 500
MAX_VALUE_CHARS = 1_000

_QUOTAS = "https://docs.aws.amazon.com/general/latest/gr/xray.html"
_TRACE_QUOTA = "https://repost.aws/knowledge-center/x-ray-trace-quota-error"
_OTLP_FAILURES = "https://opentelemetry.io/docs/specs/otlp/#otlphttp-connection"


@dataclass(frozen=True, slots=True)
class Sizes:
    """A trace's bytes against both thresholds, and how long its documents took to arrive."""

    documents: int
    total_bytes: int
    arrived_over_seconds: float

    @property
    def is_bulk(self) -> bool:
        return self.arrived_over_seconds <= BULK_SECONDS

    @property
    def budget_bytes(self) -> int:
        return TRACE_BUDGET_BULK_BYTES if self.is_bulk else TRACE_BUDGET_TRICKLED_BYTES

    def as_json(self) -> dict[str, Any]:
        return {
            "documents": self.documents,
            "bytes": self.total_bytes,
            "arrived_over_seconds": self.arrived_over_seconds,
            "budget_bytes": self.budget_bytes,
            "budget_bulk_bytes": TRACE_BUDGET_BULK_BYTES,
            "budget_trickled_bytes": TRACE_BUDGET_TRICKLED_BYTES,
        }


def sizes(evidence: Sequence[Evidence]) -> Sizes:
    times = [e.received_at for e in evidence]
    return Sizes(
        documents=len(evidence),
        total_bytes=sum(e.size_bytes or 0 for e in evidence),
        arrived_over_seconds=max(times) - min(times) if times else 0.0,
    )


def check(evidence: Sequence[Evidence]) -> tuple[Verdict, ...]:
    """Every verdict on one trace's documents, the worst first; none if X-Ray takes all as sent."""
    found = [
        *missing_phase(evidence),
        *_trace_size(evidence),
        *_annotation_count(evidence),
        *_missing_parents(evidence),
    ]
    for one in evidence:
        for rule in _DOCUMENT_RULES:
            found += rule(one)
        if one.span is not None:
            for span_rule in SPAN_RULES:
                found += span_rule(one, one.span)
    order = list(Severity)
    return tuple(sorted(found, key=lambda v: order.index(v.severity)))


def missing_phase(evidence: Sequence[Evidence]) -> Iterator[Verdict]:
    """Whether a stream's trace lacks the streaming phase.

    No verdict without the function's segment: nothing else says whether the function has ended.
    """
    function = _segment(evidence, "AWS::Lambda::Function")
    if function is None or not _is_stream(evidence):
        return
    spans = [e for e in evidence if e.span is not None]
    if any(e.document.get("parent_id") == function["id"] for e in spans):
        return
    if "end_time" in function:
        what = "its root span never came" if spans else "none of its spans came"
        yield Verdict(
            Severity.LOST,
            "missing_phase",
            f"the streaming phase is missing: {what}",
            "the collector did not take them (the function tries a batch once more, after its "
            "environment's next stream), the process was killed, or OTEL_SDK_DISABLED or "
            "OTEL_EXPORTER_OTLP_ENDPOINT keeps them from here",
            _OTLP_FAILURES,
        )
    elif not spans:
        yield Verdict(
            Severity.NOTE,
            "missing_phase",
            "the stream is running: none of the streaming phase's spans has come yet",
            "the function sends them after its first poll and when the stream has ended",
            _OTLP_FAILURES,
        )


def _is_stream(evidence: Sequence[Evidence]) -> bool:
    """Whether the handler's route is a stream's and the request was not refused."""
    routes = [str((e.document.get("annotations") or {}).get("route", "")) for e in evidence]
    service = _segment(evidence, "AWS::Lambda") or {}
    status = ((service.get("http") or {}).get("response") or {}).get("status", 200)
    return status == 200 and any(is_stream(route) for route in routes)


def _segment(evidence: Sequence[Evidence], origin: str) -> Mapping[str, Any] | None:
    return next((e.document for e in evidence if e.document.get("origin") == origin), None)


def _trace_size(evidence: Sequence[Evidence]) -> Iterator[Verdict]:
    size = sizes(evidence)
    documents = f"{size.documents} documents over {size.arrived_over_seconds:.0f} s"
    sent = f"{size.total_bytes:,} bytes in {documents}"
    if size.total_bytes > size.budget_bytes:
        manner = "in bulk" if size.is_bulk else "trickled"
        yield Verdict(
            Severity.LOST,
            "trace_size",
            f"{sent}: over the {size.budget_bytes:,} bytes of a trace sent {manner}",
            "X-Ray takes about 500 KB of a trace that arrives in bulk and about 100 KB of one that "
            "arrives bit by bit; the documents beyond that are dropped",
            _TRACE_QUOTA,
        )
    elif size.total_bytes > TRACE_BUDGET_TRICKLED_BYTES:
        yield Verdict(
            Severity.NOTE,
            "trace_size",
            f"{sent}: fits only because it came in bulk",
            "the same bytes sent bit by bit would exceed the 100 KB that X-Ray takes then",
            _TRACE_QUOTA,
        )


def _annotation_count(evidence: Sequence[Evidence]) -> Iterator[Verdict]:
    count = sum(len(e.document.get("annotations") or ()) for e in evidence)
    if count > MAX_ANNOTATIONS_PER_TRACE:
        yield Verdict(
            Severity.LOST,
            "annotation_count",
            f"{count} annotations in one trace; X-Ray indexes {MAX_ANNOTATIONS_PER_TRACE}",
            "a search by one of the others does not find this trace",
            SCHEMA,
        )


def _missing_parents(evidence: Sequence[Evidence]) -> Iterator[Verdict]:
    """Subsegments whose parent is missing; the function's segment may be, as Lambda sends it."""
    ids = {e.id for e in evidence}
    expected = _function_segment(evidence)
    is_running = any("end_time" not in e.document for e in evidence)
    without: dict[str, list[Evidence]] = {}
    for one in evidence:
        parent = one.document.get("parent_id")
        if not parent or parent in ids or parent == expected:
            continue
        if one.document.get("type") != "subsegment":
            continue  # a segment's parent is in the caller's trace, with another sender
        without.setdefault(parent, []).append(one)
    for parent, children in without.items():
        more = f"; {len(children) - 1} more wait for it" if len(children) > 1 else ""
        yield children[0].verdict(
            Severity.NOTE if is_running else Severity.LOST,
            "missing_parent",
            f"its parent {parent} {'has not come yet' if is_running else 'never came'}{more}",
            why="X-Ray shows a subsegment under its parent; without one it stays pending",
            source=SCHEMA,
        )


def _function_segment(evidence: Sequence[Evidence]) -> str | None:
    """The function's segment where its document is not here: the parent of the first record."""
    if any(e.document.get("origin") == "AWS::Lambda::Function" for e in evidence):
        return None
    ids = {e.id for e in evidence}
    outside = [
        e.document
        for e in evidence
        if e.document.get("parent_id") and e.document["parent_id"] not in ids
    ]
    first = min(outside, key=lambda document: document["start_time"], default=None)
    return None if first is None else str(first["parent_id"])


def _document_size(one: Evidence) -> Iterator[Verdict]:
    if one.size_bytes is None:
        yield one.verdict(
            Severity.LOST,
            "not_encodable",
            "an attribute is NaN or infinite",
            why="JSON has no such number: the exporter gives up the whole span",
            source="https://pkg.go.dev/encoding/json#Marshal",
        )
    elif one.size_bytes > MAX_DOCUMENT_BYTES:
        yield one.verdict(
            Severity.LOST,
            "document_size",
            f"{one.size_bytes:,} bytes; X-Ray takes {MAX_DOCUMENT_BYTES:,}",
            why="the exporter does not cut documents, X-Ray rejects the whole one",
            source=_QUOTAS,
        )


def _annotation_values(one: Evidence) -> Iterator[Verdict]:
    for key, value in (one.document.get("annotations") or {}).items():
        if len(key) > MAX_KEY_CHARS or len(str(value)) > MAX_VALUE_CHARS:
            yield one.verdict(
                Severity.LOST,
                "annotation_length",
                f"annotation {key[:40]!r}: a key of {len(key)}, a value of {len(str(value))}",
                why=f"X-Ray takes {MAX_KEY_CHARS} and {MAX_VALUE_CHARS:,} characters",
                source=SCHEMA,
            )


def _sdk_annotation_keys(one: Evidence) -> Iterator[Verdict]:
    if one.span is not None:
        return
    for key in one.document.get("annotations") or {}:
        if not (key.isascii() and key.replace("_", "a").isalnum()):
            yield one.verdict(
                Severity.LOST,
                "annotation_key",
                f"annotation key {key!r} holds more than letters, digits and _",
                why="X-Ray drops such an annotation without a word",
                source="https://github.com/aws/aws-xray-sdk-python/issues/18",
            )


_DOCUMENT_RULES: tuple[Callable[[Evidence], Iterator[Verdict]], ...] = (
    _document_size,
    _annotation_values,
    _sdk_annotation_keys,
)
