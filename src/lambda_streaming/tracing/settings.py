"""What an app tells the tracing once, when the process starts."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_streaming.environ import EnvironReader


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """`service_name` names both phases: two names would be two nodes on X-Ray's map.

    `is_disabled` is OTEL_SDK_DISABLED. `is_full_detail` lifts the span budget, for backends
    without X-Ray's limit of bytes per trace.
    """

    service_name: str
    otlp_endpoint: str = "http://localhost:4318"
    is_disabled: bool = False
    is_full_detail: bool = False
    span_budget: int = 120
    slow_ms: float = 500
    flush_seconds: float = 1.5


def exec_wrapper_problem(read: EnvironReader) -> str | None:
    """Why the function must not start, if a wrapper script would instrument the process too."""
    if read.optional("AWS_LAMBDA_EXEC_WRAPPER") is None:
        return None
    return (
        "AWS_LAMBDA_EXEC_WRAPPER is set: remove it. The collector layer is a sidecar only; a"
        " wrapper would instrument the process a second time"
    )
