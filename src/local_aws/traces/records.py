"""One span or X-Ray segment as the console shows it, and the summary of a trace."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from local_aws.traces.xray import go_json
from local_aws.traces.xray.documents import to_document, xray_trace_id
from local_aws.traces.xray.otel_attributes import plain
from local_aws.traces.xray.verdicts import Evidence

_REQUIRED = ("trace_id", "id", "name", "start_time")
_PROBE = "trace_probe"  # the trace route's one span: no stream
_ROOT_ANNOTATIONS = (
    "connection_id",
    "session_id",
    "connection_sequence",
    "previous_trace_id",
    "end_reason",
    "is_cold_start",
)


@dataclass(frozen=True, slots=True)
class Record:
    """Times in epoch seconds; `document` is what X-Ray gets, `span` what it was made of."""

    source: str
    trace_id: str
    id: str
    parent_id: str | None
    name: str
    start: float
    end: float | None
    document: Mapping[str, Any]
    size_bytes: int | None
    received_at: float
    span: Span | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[Mapping[str, Any], ...] = ()

    @property
    def in_progress(self) -> bool:
        return self.end is None

    @property
    def annotations(self) -> Mapping[str, Any]:
        return self.document.get("annotations") or {}

    @property
    def has_error(self) -> bool:
        """Whether something failed without being a fault. The step around a throttled request has
        no X-Ray flag, only an `error_type`."""
        said = (self.document.get("metadata") or {}).get("default") or {}
        return bool(self.document.get("error")) or (
            bool(said.get("error_type")) and not self.document.get("fault")
        )

    def evidence(self) -> Evidence:
        return Evidence(self.document, self.size_bytes, self.received_at, self.span)

    def as_json(self) -> dict[str, Any]:
        document = self.document
        shown: dict[str, Any] = {
            "source": self.source,
            "id": self.id,
            "parent_id": self.parent_id,
            "name": self.name,
            "start": self.start,
            "end": self.end,
            "annotations": dict(self.annotations),
            "metadata": dict(document.get("metadata") or {}),
            "fault": bool(document.get("fault")),
            "error": bool(document.get("error")),
            "throttle": bool(document.get("throttle")),
            "namespace": document.get("namespace"),
            "origin": document.get("origin"),
            "is_subsegment": document.get("type") == "subsegment",
            "cause": document.get("cause"),
            "http": document.get("http"),
            "aws": document.get("aws"),
            "document_bytes": self.size_bytes,
            "received_at": self.received_at,
        }
        if self.span is not None:
            shown |= {
                "xray_name": document["name"],
                "kind": Span.SpanKind.Name(self.span.kind).removeprefix("SPAN_KIND_"),
                "status": Status.StatusCode.Name(self.span.status.code).removeprefix(
                    "STATUS_CODE_"
                ),
                "status_message": self.span.status.message,
                "attributes": dict(self.attributes),
                "links": list(self.links),
            }
        return shown


def from_export(request: ExportTraceServiceRequest, *, received_at: float) -> list[Record]:
    return [
        _from_span(span, resource_spans.resource, received_at)
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


def _from_span(span: Span, resource: Resource, received_at: float) -> Record:
    document = to_document(span, resource)
    size: int | None = None
    try:
        size = len(go_json.encode(document))
    except ValueError:
        pass  # NaN or infinity: the exporter fails on it, and xray/limits.py says so
    return Record(
        source="otel",
        trace_id=xray_trace_id(span.trace_id.hex()),
        id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex() or None,
        name=span.name,
        start=span.start_time_unix_nano / 1e9,
        end=span.end_time_unix_nano / 1e9 if span.end_time_unix_nano else None,
        document=_readable(document),
        size_bytes=size,
        received_at=received_at,
        span=span,
        attributes=_readable(plain(span.attributes)),
        links=tuple(document.get("links", ())),
    )


def _readable(value: Any) -> Any:
    """The value in JSON's types: NaN and infinity become text, bytes base64 as in Go."""
    match value:
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {k: _readable(v) for k, v in value.items()}
        case list():
            return [_readable(v) for v in value]
    return value


def from_document(document: Mapping[str, Any], *, received_at: float) -> list[Record]:
    """The document itself and its embedded subsegments. Raises ValueError naming a bad field."""
    for key in _REQUIRED:
        if key not in document:
            raise ValueError(f"X-Ray document without {key!r}: X-Ray would not take it")
    records: list[Record] = []
    _collect(document, str(document["trace_id"]), document.get("parent_id"), received_at, records)
    return records


def _collect(
    document: Mapping[str, Any],
    trace_id: str,
    parent_id: str | None,
    received_at: float,
    records: list[Record],
) -> None:
    own = {k: v for k, v in document.items() if k != "subsegments"}
    end = document.get("end_time")
    records.append(
        Record(
            source="xray",
            trace_id=xray_trace_id(trace_id),
            id=str(document["id"]),
            parent_id=parent_id,
            name=str(document["name"]),
            start=float(document["start_time"]),
            end=None if end is None else float(end),
            document=own,
            size_bytes=len(go_json.encode(own)),
            received_at=received_at,
            links=tuple(document.get("links", ())),
        )
    )
    for child in document.get("subsegments") or ():
        _collect(child, trace_id, str(document["id"]), received_at, records)


def carries(records: Iterable[Record], key: str, value: str) -> bool:
    """Whether any record has this annotation, compared as text and case-blind for booleans."""
    return any(
        key in r.annotations and str(r.annotations[key]).lower() == value.lower() for r in records
    )


def summarise(trace_id: str, records: Sequence[Record]) -> dict[str, Any]:
    """One line of the trace list; a value is None if no record has it."""
    ids = {r.id for r in records}
    start = min(r.start for r in records)
    end = max(r.end if r.end is not None else r.start for r in records)
    tops = [r for r in records if r.parent_id not in ids]
    root = min(tops or records, key=lambda r: (r.start, r.source != "xray"))
    known = {k: _annotation(records, k) for k in _ROOT_ANNOTATIONS}
    return {
        "trace_id": trace_id,
        "start": start,
        "end": end,
        "duration": end - start,
        "in_progress": any(r.in_progress for r in records),
        "name": root.name,
        "route": _route(records),
        "status": _status(records),
        **known,
        "has_fault": any(r.document.get("fault") for r in records),
        "has_error": any(r.has_error for r in records),
        "has_streaming_phase": any(r.source == "otel" and r.name != _PROBE for r in records),
        "counts": {
            "xray": sum(r.source == "xray" for r in records),
            "otel": sum(r.source == "otel" for r in records),
        },
    }


def _annotation(records: Sequence[Record], key: str) -> Any:
    return next((r.annotations[key] for r in records if key in r.annotations), None)


def _status(records: Sequence[Record]) -> int | None:
    """The status that the client got, from the Lambda service's segment."""
    for record in records:
        status = ((record.document.get("http") or {}).get("response") or {}).get("status")
        if record.document.get("origin") == "AWS::Lambda" and isinstance(status, int):
            return status
    return None


def _route(records: Sequence[Record]) -> str | None:
    """The request's method and path, from whichever record knows them."""
    for record in records:
        if "route" in record.annotations:
            return str(record.annotations["route"])
    for record in records:
        request = (record.document.get("http") or {}).get("request") or {}
        if request.get("url") and record.document.get("type") != "subsegment":
            path = str(request["url"]).split("://", 1)[-1].partition("/")[2].partition("?")[0]
            return f"{request.get('method', '')} /{path}".strip()
    return None
