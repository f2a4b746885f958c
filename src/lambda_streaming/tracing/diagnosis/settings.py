"""What the diagnosis has to know about the app."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_streaming.tracing.settings import TracingSettings


@dataclass(frozen=True, slots=True)
class DiagnosisSettings:
    """`span_budget_variable` names the app's setting for `TracingSettings.span_budget`. With
    `has_app_telemetry` the app may bring OpenTelemetry of its own, which joins the trace."""

    tracing: TracingSettings
    function_version: str
    span_budget_variable: str = "STREAMING_TRACE_SPAN_BUDGET"
    has_app_telemetry: bool = False
