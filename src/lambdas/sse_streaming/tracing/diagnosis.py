"""`GET /trace`: why do my traces not appear? One probe span, and checks that say what to do."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from lambdas.sse_streaming.clock import Clock
from lambdas.sse_streaming.settings import Settings
from lambdas.sse_streaming.tracing.delivery import Outcome
from lambdas.sse_streaming.tracing.header import TraceHeader
from lambdas.sse_streaming.tracing.streaming import StreamTracing

_PACKAGES = ("aws-lambda-powertools", "aws-xray-sdk", "opentelemetry-sdk", "botocore")


@dataclass(frozen=True, slots=True)
class Check:
    """`why` says what was seen, `fix` what to do; empty where there is nothing to do."""

    name: str
    status: Literal["ok", "failed", "unknown"]
    why: str
    fix: str = ""


class Diagnosis:
    """Looks at what this process can see of its own tracing. Never raises, names no secrets."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], tracing: StreamTracing, clock: Clock
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._tracing = tracing
        self.born = clock.steady_seconds()

    def report(self, header: TraceHeader) -> dict[str, object]:
        """The self-diagnosis. Exports a probe span first, within the flush budget."""
        outcome = self._tracing.probe(header)
        delivery = self._tracing.delivery
        service = self._settings.service_name
        checks = [
            self._sampled(header),
            self._kill_switch(),
            self._collector(outcome),
            self._daemon(),
            _double_instrumentation(),
        ]
        return {
            "trace_id": header.root,
            "sampled": header.records,
            "services": {"handler": service, "streaming": service},
            "checks": [asdict(check) for check in checks],
            "versions": _versions(),
            "last_flush": {
                "outcome": delivery.last_outcome.value if delivery.last_outcome else None,
                "ms": None if delivery.last_flush_ms is None else round(delivery.last_flush_ms, 1),
                "spans_lost": delivery.lost_spans,
            },
        }

    def _sampled(self, header: TraceHeader) -> Check:
        if header.records:
            return Check("sampled", "ok", "this request's trace header says Sampled=1")
        if header.trace_id is None:
            return Check(
                "sampled",
                "failed",
                "no trace header came with this request",
                "set the function's tracing mode to Active",
            )
        return Check(
            "sampled",
            "failed",
            "X-Ray did not sample this request, so neither phase records it",
            "send X-Amzn-Trace-Id with Sampled=1, or look at the sampling of the caller",
        )

    def _kill_switch(self) -> Check:
        if self._settings.otel_disabled:
            return Check(
                "kill_switch",
                "failed",
                "OTEL_SDK_DISABLED=true switches the streaming phase's spans off",
                "remove OTEL_SDK_DISABLED",
            )
        return Check("kill_switch", "ok", "OTEL_SDK_DISABLED is not set")

    def _collector(self, outcome: Outcome | None) -> Check:
        endpoint = self._settings.otlp_endpoint
        match outcome:
            case Outcome.DELIVERED:
                return Check("collector", "ok", f"the collector at {endpoint} took a probe span")
            case Outcome.UNCONFIRMED:
                return Check(
                    "collector",
                    "unknown",
                    f"the collector at {endpoint} took a probe span but did not answer in time",
                    "look at the collector's log lines for slow or failing PutTraceSegments",
                )
            case Outcome.FAILED:
                return Check(
                    "collector",
                    "failed",
                    f"no collector took a probe span at {endpoint}",
                    "add the ADOT collector layer, or correct OTEL_EXPORTER_OTLP_ENDPOINT; if it"
                    " answers errors, allow xray:PutTraceSegments",
                )
        return Check("collector", "unknown", "no probe was sent: this request is not recorded")

    def _daemon(self) -> Check:
        if "AWS_XRAY_DAEMON_ADDRESS" not in self._environ:
            return Check(
                "xray_daemon",
                "failed",
                "AWS_XRAY_DAEMON_ADDRESS is not set, so the handler phase is not recorded",
                "set the function's tracing mode to Active",
            )
        return Check("xray_daemon", "unknown", "segments go out by UDP, which nobody answers")


def _double_instrumentation() -> Check:
    loaded = sorted(
        name for name in sys.modules if name.startswith("opentelemetry.instrumentation.")
    )
    if loaded:
        return Check(
            "double_instrumentation",
            "failed",
            f"{loaded[0]} is loaded: AWS requests are recorded twice",
            "remove OpenTelemetry auto-instrumentation from the package and its layers",
        )
    return Check("double_instrumentation", "ok", "no OpenTelemetry instrumentor is loaded")


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "unknown: the package's dist-info is missing"
    return versions
