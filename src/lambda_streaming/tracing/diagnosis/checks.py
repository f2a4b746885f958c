"""One probe span, and checks that say why traces do not appear and what to do about it.

A diagnosis runs when something is broken already, so a check that raises is `unknown` and the
others still answer. Anybody may read it, so it holds no value of an environment variable; it names
host and port of the collector's endpoint.
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal
from urllib.parse import urlsplit

from aws_xray_sdk import global_sdk_config

from lambda_streaming.clock import Clock
from lambda_streaming.tracing.diagnosis.daemon import daemon_refuses, parse_daemon_address
from lambda_streaming.tracing.diagnosis.problems import why_not_taken
from lambda_streaming.tracing.diagnosis.settings import DiagnosisSettings
from lambda_streaming.tracing.export.one_try import Outcome
from lambda_streaming.tracing.handler_phase import SWITCH, is_switched_off
from lambda_streaming.tracing.header import TraceHeader
from lambda_streaming.tracing.tracer import Tracing

_PACKAGES = ("aws-lambda-powertools", "aws-xray-sdk", "opentelemetry-sdk", "botocore")
_MAX_SKEW_SECONDS = 300
"""What AWS's request signing allows a clock to be off by."""
_NO = frozenset({"0", "n", "no", "f", "false", "off"})
"""What the X-Ray SDK takes for no (aws_xray_sdk/sdk_config.py, 2.15.0)."""
_INSTRUMENTATION = "opentelemetry.instrumentation."
_SHARED_WITH_INSTRUMENTORS = frozenset(
    {"dependencies", "distro", "environment_variables", "instrumentor", "package", "propagators"}
    | {"utils", "version"}
)
"""Parts of OpenTelemetry's instrumentation package that instrument nothing by themselves."""


@dataclass(frozen=True, slots=True)
class Check:
    """`why` says what was seen, `fix` what to do; empty only where all is well."""

    name: str
    status: Literal["ok", "failed", "unknown"]
    why: str
    fix: str = ""


class Diagnosis:
    """Looks at what this process can see of its own tracing. Never raises, names no secrets."""

    def __init__(
        self,
        settings: DiagnosisSettings,
        environ: Mapping[str, str],
        tracing: Tracing,
        clock: Clock,
        *,
        modules: Iterable[str] = sys.modules,
        is_sdk_enabled: Callable[[], bool] = global_sdk_config.sdk_enabled,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._tracing = tracing
        self._clock = clock
        self._modules = modules
        self._is_sdk_enabled = is_sdk_enabled
        self.started = clock.steady_seconds()

    def report(self, header: TraceHeader) -> dict[str, object]:
        """The self-diagnosis. Exports a probe span first, within the flush budget."""
        checks = [
            _guarded("sampled", lambda: self._sampled(header)),
            _guarded("kill_switch", self._kill_switch),
            _guarded("handler_tracer", self._handler_tracer),
            _guarded(
                "collector", lambda: self._collector(self._tracing.probe("trace_probe", header))
            ),
            _guarded("xray_daemon", self._daemon),
            _guarded("double_instrumentation", self._double_instrumentation),
            _guarded("clock", lambda: self._clock_skew(header)),
        ]
        buffer, service = self._tracing.buffer, self._settings.tracing.service_name
        return {
            "trace_id": header.root,
            "sampled": header.records,
            "services": {"handler": service, "streaming": service},
            "checks": [asdict(check) for check in checks],
            "versions": _versions(self._settings.function_version),
            "last_flush": {
                "outcome": buffer.last_outcome.value if buffer.last_outcome else None,
                "ms": None if buffer.last_flush_ms is None else round(buffer.last_flush_ms, 1),
                "spans_lost": buffer.lost_spans,
            },
        }

    def _sampled(self, header: TraceHeader) -> Check:
        if header.records:
            return Check("sampled", "ok", "this request's trace header says Sampled=1")
        if header.trace_id is None:
            return Check(
                "sampled",
                "failed",
                "no usable trace header came with this request",
                "set the function's tracing mode to Active",
            )
        return Check(
            "sampled",
            "failed",
            "X-Ray did not sample this request, so neither phase records it",
            "send X-Amzn-Trace-Id with Sampled=1, or look at the sampling of the caller",
        )

    def _kill_switch(self) -> Check:
        if self._settings.tracing.is_disabled:
            return Check(
                "kill_switch",
                "failed",
                "OTEL_SDK_DISABLED=true switches the streaming phase's spans off",
                "remove OTEL_SDK_DISABLED",
            )
        return Check("kill_switch", "ok", "OTEL_SDK_DISABLED is not true")

    def _handler_tracer(self) -> Check:
        """The switches of Powertools and of the X-Ray SDK, and what they made of them."""
        off = None
        if is_switched_off(self._environ):
            off = SWITCH
        elif self._environ.get("AWS_XRAY_SDK_ENABLED", "").lower() in _NO:
            off = "AWS_XRAY_SDK_ENABLED"
        if off is not None:
            return Check(
                "handler_tracer",
                "failed",
                f"{off} switches the handler phase's subsegments off",
                f"remove {off}",
            )
        if not self._is_sdk_enabled():
            return Check(
                "handler_tracer",
                "failed",
                "the X-Ray SDK counts itself as switched off, as Powertools does outside Lambda",
                "remove AWS_SAM_LOCAL and AWS_CHALICE_CLI_MODE from the function's variables",
            )
        return Check("handler_tracer", "ok", "nothing switches the handler phase's tracer off")

    def _collector(self, outcome: Outcome | None) -> Check:
        if self._tracing.defect is not None:
            return Check(
                "collector",
                "failed",
                f"OpenTelemetry cannot make spans in this process: {self._tracing.defect}",
                "look for `no spans of the streaming phase` in the log: it names the cause,"
                " most likely an OTEL_* variable",
            )
        where = urlsplit(self._settings.tracing.otlp_endpoint).netloc
        match outcome:
            case Outcome.DELIVERED if self._tracing.last_problem is None:
                return Check("collector", "ok", f"the collector at {where} took a probe span")
            case Outcome.UNCONFIRMED:
                return Check(
                    "collector",
                    "unknown",
                    f"the collector at {where} took a probe span but did not answer in time",
                    "look at the collector's log lines for slow or failing PutTraceSegments",
                )
            case Outcome.FAILED | Outcome.REJECTED | Outcome.DELIVERED:
                why, fix = why_not_taken(
                    self._tracing.last_problem, self._settings.span_budget_variable
                )
                return Check("collector", "failed", f"{where}: {why}", fix)
        return Check(
            "collector",
            "unknown",
            "no probe was sent: this request is not recorded",
            "do first what the checks `sampled` and `kill_switch` say",
        )

    def _daemon(self) -> Check:
        address = self._environ.get("AWS_XRAY_DAEMON_ADDRESS", "")
        if not address:
            return Check(
                "xray_daemon",
                "failed",
                "AWS_XRAY_DAEMON_ADDRESS is not set, so the handler phase is not recorded",
                "set the function's tracing mode to Active",
            )
        if daemon_refuses(parse_daemon_address(address)):
            return Check(
                "xray_daemon",
                "failed",
                "nothing listens where AWS_XRAY_DAEMON_ADDRESS points: the port refuses datagrams",
                "remove AWS_XRAY_DAEMON_ADDRESS from the function's variables, Lambda sets it",
            )
        return Check(
            "xray_daemon",
            "unknown",
            "no datagram was refused, and UDP has no other answer",
            "look for this trace's `## handler` subsegment in X-Ray",
        )

    def _double_instrumentation(self) -> Check:
        if self._settings.has_app_telemetry:
            return self._conflicts()
        loaded = sorted(
            name
            for name in tuple(self._modules)  # other threads import meanwhile
            if name.startswith(_INSTRUMENTATION)
            and name.removeprefix(_INSTRUMENTATION).split(".")[0] not in _SHARED_WITH_INSTRUMENTORS
        )
        if loaded:
            return Check(
                "double_instrumentation",
                "failed",
                f"{loaded[0]} is loaded: what it instruments is recorded twice",
                "remove OpenTelemetry auto-instrumentation from the package and its layers",
            )
        return Check("double_instrumentation", "ok", "no OpenTelemetry instrumentor is loaded")

    def _conflicts(self) -> Check:
        """An app's own instrumentations join the trace. These do not."""
        name, why, fix = "double_instrumentation", "", ""
        if f"{_INSTRUMENTATION}aws_lambda" in self._modules:
            why = "OpenTelemetry's instrumentation of Lambda is loaded: handlers are recorded twice"
            fix = "remove opentelemetry-instrumentation-aws-lambda from the package and its layers"
        elif "ddtrace" in self._modules:
            why = "ddtrace is loaded: it patches the libraries that are recorded here, too"
            fix = 'remove Datadog\'s layer, or switch the tracing here off: tracing="off"'
        elif self._environ.get("FASTAPI_OTEL_AUTO_CONFIGURE", "").lower() == "true":
            why = (
                "FASTAPI_OTEL_AUTO_CONFIGURE lets FastAPI export by itself: its spans are beyond"
                " the span budget, and a second node on X-Ray's map"
            )
            fix = "remove FASTAPI_OTEL_AUTO_CONFIGURE"
        if why:
            return Check(name, "failed", why, fix)
        return Check(name, "ok", "nothing is known to record the same things")

    def _clock_skew(self, header: TraceHeader) -> Check:
        """A trace id begins with the second in which the trace did, by its maker's clock."""
        if header.trace_id is None:
            return Check(
                "clock",
                "unknown",
                "no trace header came to compare this clock with",
                "do first what the check `sampled` says",
            )
        ahead = self._clock.wall_ms() // 1000 - int(header.trace_id[:8], 16)
        if abs(ahead) <= _MAX_SKEW_SECONDS:
            return Check("clock", "ok", f"this clock is {ahead} s after the trace's beginning")
        direction = "ahead of" if ahead > 0 else "behind"
        return Check(
            "clock",
            "failed",
            f"this clock is {abs(ahead)} s {direction} the trace's beginning: X-Ray shows the"
            " streaming phase at another time than the request, or drops it",
            "ask again without an X-Amzn-Trace-Id of your own; if it stays, the environment's"
            " clock is wrong: deploy again to get new environments",
        )


_FIX = "ask again; if it stays, it is a defect of this check: report it with the versions below"
_FIXES: Mapping[str, str] = {
    "collector": "remove the OTEL_* variables but OTEL_SERVICE_NAME and"
    " OTEL_EXPORTER_OTLP_ENDPOINT: OpenTelemetry does not start with a malformed one",
    "xray_daemon": "remove AWS_XRAY_DAEMON_ADDRESS from the function's variables, Lambda sets it",
}
"""By check: what to do when it fails itself."""


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:
        # Its text could hold what it looked at, and that is not for everybody.
        why = f"the check itself failed: {type(error).__name__}"
        return Check(name, "unknown", why, _FIXES.get(name, _FIX))


def _versions(function_version: str) -> dict[str, str]:
    versions = {"function": function_version, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except Exception as error:
            versions[package] = f"unknown: {type(error).__name__}"
    return versions
