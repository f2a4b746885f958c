"""Exports as the collector decodes them, built without a tracer."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

TRACE_ID = "6afd86c0000000000000000000000001"
XRAY_TRACE_ID = "1-6afd86c0-000000000000000000000001"
FUNCTION_SEGMENT_ID = "a" * 16
START = 1_795_000_000.0

# What the recorded pairs were made with; service.name equals the function's name.
RESOURCE = {
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.2",
    "service.name": "sse-streaming",
    "cloud.provider": "aws",
    "cloud.platform": "aws_lambda",
    "cloud.region": "us-east-1",
    "faas.name": "sse-streaming",
    "cloud.account.id": "123456789012",
}


def make_resource(attributes: Mapping[str, Any] = RESOURCE) -> Resource:
    resource = Resource()
    for key, value in attributes.items():
        _set(resource.attributes.add(key=key).value, value)
    return resource


def make_span(
    name: str = "dynamodb_poll",
    *,
    span_id: str = "b" * 16,
    parent_id: str = FUNCTION_SEGMENT_ID,
    trace_id: str = TRACE_ID,
    kind: Span.SpanKind.ValueType = Span.SPAN_KIND_INTERNAL,
    start: float = 0.0,
    seconds: float = 0.01,
    attributes: Mapping[str, Any] | None = None,
    is_error: bool = False,
    message: str = "",
) -> Span:
    """`start` in seconds after START."""
    span = Span(
        trace_id=bytes.fromhex(trace_id),
        span_id=bytes.fromhex(span_id),
        parent_span_id=bytes.fromhex(parent_id),
        name=name,
        kind=kind,
        start_time_unix_nano=round((START + start) * 1e9),
        end_time_unix_nano=round((START + start + seconds) * 1e9),
    )
    for key, value in (attributes or {}).items():
        _set(span.attributes.add(key=key).value, value)
    if is_error:
        span.status.code = Status.STATUS_CODE_ERROR
        span.status.message = message
    return span


def add_event(span: Span, name: str, attributes: Mapping[str, Any]) -> None:
    event = span.events.add(name=name)
    for key, value in attributes.items():
        _set(event.attributes.add(key=key).value, value)


def make_export(*spans: Span, resource: Mapping[str, Any] = RESOURCE) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add(resource=make_resource(resource))
    resource_spans.scope_spans.add(spans=spans)
    return request


def span_from_json(span: Mapping[str, Any]) -> Span:
    """A span in OTLP/JSON, whose ids are hexadecimal where protobuf's JSON has base64."""
    return json_format.ParseDict(_base64_ids(span), Span())  # type: ignore[no-any-return]


def _base64_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_base64_ids(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(one)).decode()
        if key in ("traceId", "spanId", "parentSpanId")
        else _base64_ids(one)
        for key, one in value.items()
    }


def _set(target: AnyValue, value: Any) -> None:
    match value:
        case bool():
            target.bool_value = value
        case int():
            target.int_value = value
        case float():
            target.double_value = value
        case str():
            target.string_value = value
        case bytes():
            target.bytes_value = value
        case list():
            target.array_value.SetInParent()
            for one in value:
                _set(target.array_value.values.add(), one)
        case dict():
            target.kvlist_value.SetInParent()
            for key, one in value.items():
                _set(target.kvlist_value.values.add(key=key).value, one)
        case None:
            pass
