"""Builds the OpenTelemetry tracer. Imported by the first sampled trace: others never need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import (
    ReadableSpan,
    Span,
    SpanLimits,
    SpanProcessor,
    Tracer,
    TracerProvider,
)
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

if TYPE_CHECKING:
    from lambda_streaming.tracing.export.buffer import SpanBuffer


class _ToBuffer(SpanProcessor):
    """Every ended span goes to the buffer; the trace decides when it is exported."""

    def __init__(self, buffer: SpanBuffer) -> None:
        self._buffer = buffer

    def on_start(self, span: Span, parent_context: Context | None = None) -> None: ...

    def on_end(self, span: ReadableSpan) -> None:
        self._buffer.add(span)

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        self._buffer.flush(timeout_millis / 1000)
        return True


def function_resource(service_name: str, environ: Mapping[str, str]) -> Resource:
    """What every span says of where it was made."""
    attributes = {
        "service.name": service_name,
        "cloud.provider": "aws",
        "cloud.platform": "aws_lambda",
        "cloud.region": environ.get("AWS_REGION", ""),
        "faas.name": environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        "faas.version": environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
    }
    return Resource.create({key: value for key, value in attributes.items() if value})


def build_tracer(resource: Resource, buffer: SpanBuffer) -> Tracer:
    """A tracer of our own, not the process's global one: nothing else may add spans to it.

    The sampler follows the parent and never begins a trace, since sampling is X-Ray's decision.
    """
    provider = TracerProvider(
        sampler=ParentBased(ALWAYS_OFF),
        resource=resource,
        span_limits=_no_limits(),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(_ToBuffer(buffer))
    tracer = provider.get_tracer(__name__)
    assert isinstance(tracer, Tracer), "OTEL_SDK_DISABLED has to be checked before"
    return tracer


def _no_limits() -> SpanLimits:
    """None at all: the span budget limits what a span holds, and a limit left out would be read
    from OTEL_*_LIMIT (SpanLimits in opentelemetry-sdk 1.45), which can cut away the names
    that X-Ray searches by."""
    unset = SpanLimits.UNSET
    return SpanLimits(
        max_attributes=unset,
        max_events=unset,
        max_links=unset,
        max_span_attributes=unset,
        max_event_attributes=unset,
        max_link_attributes=unset,
        max_attribute_length=unset,
        max_span_attribute_length=unset,
    )
