"""What an app tells the tracing once, when the process starts."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lambda_streaming.environ import EnvironReader, SettingsError

logger = logging.getLogger(__name__)

_OTLP_ENDPOINT = "http://localhost:4318"

_INSTRUMENTS = re.compile(
    "otel|instrument|datadog|newrelic|dynatrace|splunk|signalfx|lumigo|instana|elasticapm"
    "|appdynamics"
)
"""Parts of the names of wrappers that instrument: /opt/otel-handler, /opt/datadog_wrapper, …"""


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """`service_name` names both phases: two names would be two nodes on X-Ray's map.

    `is_disabled` is OTEL_SDK_DISABLED. `is_full_detail` lifts the span budget, for backends
    without X-Ray's limit of bytes per trace.
    """

    service_name: str
    otlp_endpoint: str = _OTLP_ENDPOINT
    is_disabled: bool = False
    is_full_detail: bool = False
    span_budget: int = 120
    slow_ms: float = 500
    flush_seconds: float = 1.5

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> TracingSettings:
        """Raises SettingsError for a bad value, and for what would split the trace in two."""
        settings = cls.read(EnvironReader(environ))
        if wrapper := environ.get("AWS_LAMBDA_EXEC_WRAPPER"):
            logger.warning(
                "AWS_LAMBDA_EXEC_WRAPPER=%s: if this wrapper instruments the process, its requests"
                " are traced twice",
                wrapper,
            )
        return settings

    @classmethod
    def read(cls, read: EnvironReader) -> TracingSettings:
        wrapper = read.optional("AWS_LAMBDA_EXEC_WRAPPER") or ""
        if _INSTRUMENTS.search(wrapper.lower()):
            raise SettingsError(_WRAPPER_PROBLEM)
        return cls(
            service_name=_service_name(read),
            otlp_endpoint=read.base_url("OTEL_EXPORTER_OTLP_ENDPOINT", _OTLP_ENDPOINT),
            is_disabled=read.flag("OTEL_SDK_DISABLED"),
            is_full_detail=read.choice("STREAMING_TRACE_DETAIL", ("budget", "full")) == "full",
            span_budget=read.whole("STREAMING_TRACE_SPAN_BUDGET", 120, 0, 10_000),
            slow_ms=read.number("STREAMING_TRACE_SLOW_MS", 500, 0, 3_600_000),
            flush_seconds=read.number("STREAMING_FLUSH_SECONDS", 1.5, 0.05, 60),
        )


_WRAPPER_PROBLEM = (
    "AWS_LAMBDA_EXEC_WRAPPER is set: remove it. The collector layer is a sidecar only; a"
    " wrapper would instrument the process a second time"
)


def _service_name(read: EnvironReader) -> str:
    """One name for both phases, by default the function's own."""
    powertools = read.optional("POWERTOOLS_SERVICE_NAME")
    otel = read.optional("OTEL_SERVICE_NAME")
    if powertools is not None and otel is not None and powertools != otel:
        raise SettingsError(
            f"OTEL_SERVICE_NAME={otel!r} differs from POWERTOOLS_SERVICE_NAME={powertools!r}:"
            " set both to the same name, or X-Ray shows one function as two services"
        )
    return powertools or otel or read.text("AWS_LAMBDA_FUNCTION_NAME", "function")


def exec_wrapper_problem(read: EnvironReader) -> str | None:
    """Why the service must not start: it has no use for any wrapper script."""
    return None if read.optional("AWS_LAMBDA_EXEC_WRAPPER") is None else _WRAPPER_PROBLEM
