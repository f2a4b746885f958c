"""Verdicts on one span: what the exporter drops or changes as it makes the X-Ray document."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from local_aws.traces.xray import documents
from local_aws.traces.xray.otel_attributes import plain
from local_aws.traces.xray.verdicts import Evidence, Severity, Verdict

SCHEMA = "https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html"
_EXPORTER = (
    "https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/v0.112.0"
    "/exporter/awsxrayexporter/internal/translator/"
)
_AWS_ATTRIBUTES = frozenset(
    {"aws.operation", "rpc.method", "aws.region", "aws.request_id", "aws.requestId"}
    | {"aws.account_id", "aws.queue_url", "aws.queue.url", "aws.table_name", "aws.table.name"}
)


def _span_name(one: Evidence, span: Span) -> Iterator[Verdict]:
    sent = str(one.document.get("name", ""))
    fixed = documents.fixed_name(span.name)
    if sent == fixed and fixed != span.name:
        yield one.verdict(
            Severity.ALTERED,
            "name_altered",
            f"the name arrives as {fixed[:80]!r}",
            why="X-Ray allows letters, digits, blank and _ . : / % & # = + - @, 200 bytes of them",
            source=_EXPORTER + "segment.go",
        )
    elif sent != fixed and span.kind == Span.SPAN_KIND_INTERNAL:
        yield one.verdict(
            Severity.ALTERED,
            "name_replaced",
            f"the name arrives as {sent!r}",
            why="aws.service, rpc.service, peer.service and the like take the place of a span's "
            "name; they belong on the CLIENT span of one request",
            source=_EXPORTER + "segment.go",
        )


def _annotation_attributes(one: Evidence, span: Span) -> Iterator[Verdict]:
    found = plain(span.attributes)
    named = found.get(documents.ANNOTATIONS_ATTRIBUTE)
    for key in named if isinstance(named, list) else ():
        if key not in found:
            continue
        if not isinstance(found[key], str | int | float):
            yield one.verdict(
                Severity.LOST,
                "annotation_not_scalar",
                f"attribute {key!r} is named as an annotation but is no scalar",
                why="annotations are text, numbers and booleans; a list so named is left out of "
                "metadata too",
                source=_EXPORTER + "segment.go",
            )
        elif (fixed := documents.fixed_key(key)) != key:
            yield one.verdict(
                Severity.ALTERED,
                "key_altered",
                f"annotation {key!r} arrives as {fixed!r}",
                why="annotation keys keep letters, digits and dots; the rest becomes _",
                source=_EXPORTER + "segment.go",
            )


def _events(one: Evidence, span: Span) -> Iterator[Verdict]:
    for name in {e.name: None for e in span.events if e.name != "exception"}:
        yield one.verdict(
            Severity.LOST,
            "event_dropped",
            f"the span event {name!r}",
            why="X-Ray documents have no events; only exceptions are carried over",
            source="https://github.com/aws-observability/aws-otel-collector/issues/821",
        )


def _segment(one: Evidence, span: Span) -> Iterator[Verdict]:
    kind = next((a.value.string_value for a in span.attributes if a.key == "aws.span.kind"), "")
    if span.kind == Span.SPAN_KIND_SERVER or not span.parent_span_id or kind == "LOCAL_ROOT":
        reason = (
            "its kind is SERVER"
            if span.kind == Span.SPAN_KIND_SERVER
            else "it has no parent"
            if not span.parent_span_id
            else "aws.span.kind is LOCAL_ROOT"
        )
        yield one.verdict(
            Severity.MISLEADING,
            "becomes_segment",
            f"{reason}, so it becomes a segment",
            why="a segment is a second node on the service map, beside the function's own",
            source=_EXPORTER + "segment.go",
        )


def _status_code(one: Evidence, span: Span) -> Iterator[Verdict]:
    keys = {a.key for a in span.attributes}
    if "http.response.status_code" in keys and "http.status_code" not in keys:
        yield one.verdict(
            Severity.MISLEADING,
            "status_code_key",
            "http.response.status_code without http.status_code",
            why="the exporter of the ADOT layer tells error, throttle and fault by the old key "
            "alone: a 400 or 429 with status ERROR shows as a fault",
            source=_EXPORTER + "cause.go",
        )


def _aws_block(one: Evidence, span: Span) -> Iterator[Verdict]:
    lost = sorted({a.key for a in span.attributes} & _AWS_ATTRIBUTES)
    if lost and "aws" not in one.document:
        yield one.verdict(
            Severity.LOST,
            "aws_block_dropped",
            f"{', '.join(lost)}: the resource's cloud.provider is not aws",
            why="for another provider the exporter leaves out the whole aws block, and its"
            " attributes are not in metadata either",
            source=_EXPORTER + "aws.go",
        )


SPAN_RULES: tuple[Callable[[Evidence, Span], Iterator[Verdict]], ...] = (
    _span_name,
    _annotation_attributes,
    _events,
    _segment,
    _status_code,
    _aws_block,
)
