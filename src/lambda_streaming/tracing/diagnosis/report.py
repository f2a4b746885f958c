"""What an app can tell of its own tracing: whether it is there, and whether it records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any, TypeAlias

from lambda_streaming.version import __version__

Report: TypeAlias = dict[str, Any]

_PACKAGES = (
    "aws_lambda_powertools",
    "aws_xray_sdk",
    "opentelemetry.sdk",
    "opentelemetry.exporter.otlp.proto.http",
)
_DECISIVE_CHECKS = ("sampled", "kill_switch", "handler_tracer", "collector")
"""Without one of these something of the trace is missing in X-Ray."""

_VERSION = {"lambda-streaming": __version__}

_current_report: ContextVar[Callable[[], Report] | None] = ContextVar("trace_report", default=None)


def trace_report() -> Report:
    """Whether the request that this code serves is traced and, if it is not, why: JSON for a route
    such as `/trace-test`.

    `state` is `recording`, `not_recording`, `unknown` (the collector did not confirm in time),
    `off` or `not_installed`; `why` says what was seen. Where a traced invocation runs, there are
    `trace_id`, `checks` with what to do about each that failed, `instrumentations` (the
    OpenTelemetry instrumentations that are installed: active, inactive, conflicting), `versions`.

    Sends a span to the collector and waits for its answer, at most STREAMING_FLUSH_SECONDS: call it
    from a worker thread. Names no value of an environment variable.
    """
    make = _current_report.get()
    if make is not None:
        return make()
    if is_tracing_installed():
        why = 'this code runs outside of Lambda, or with tracing="off"'
        return {"state": "off", "why": why, "trace_id": None, "versions": {**_VERSION}}
    why = "the packages of the extra are missing: pip install 'lambda-streaming[tracing]'"
    return {"state": "not_installed", "why": why, "trace_id": None, "versions": {**_VERSION}}


def reports_with(make: Callable[[], Report]) -> None:
    """From now on this is the report of the code of this context."""
    _current_report.set(make)


def with_state(details: Mapping[str, Any]) -> Report:
    """A diagnosis (diagnosis/checks.py), with what follows from it in front."""
    checks = [check for check in details["checks"] if check["name"] in _DECISIVE_CHECKS]
    details = {**details, "versions": _VERSION | details["versions"]}
    for state, status in (("not_recording", "failed"), ("unknown", "unknown")):
        if found := _first(checks, status):
            return {"state": state, "why": found["why"], **details}
    why = "the collector took a span, and nothing switches a tracer off"
    return {"state": "recording", "why": why, **details}


def _first(checks: Iterable[Mapping[str, str]], status: str) -> Mapping[str, str] | None:
    return next((check for check in checks if check["status"] == status), None)


def is_tracing_installed() -> bool:
    """Whether the packages of the extra `tracing` are there."""
    try:
        return all(find_spec(name) is not None for name in _PACKAGES)
    except ModuleNotFoundError:  # a parent package
        return False
