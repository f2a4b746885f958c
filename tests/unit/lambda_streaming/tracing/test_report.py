"""`trace_report()`: an installed tracer that does not record is told from one that does."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lambda_streaming import trace_report
from lambda_streaming.tracing.diagnosis import report
from lambda_streaming.tracing.diagnosis.checks import Diagnosis
from lambda_streaming.tracing.diagnosis.instrumentations import instrumentations
from lambda_streaming.tracing.diagnosis.report import with_state
from lambda_streaming.tracing.diagnosis.settings import DiagnosisSettings
from lambda_streaming.tracing.export.one_try import Outcome
from lambda_streaming.tracing.header import parse_trace_header
from tests.fakes.spans import START_NS, MemoryExporter, TracingWorld
from tests.fakes.streams import make_settings


def diagnosis(
    *,
    sampled: int = 1,
    outcome: Outcome = Outcome.DELIVERED,
    modules: tuple[str, ...] = (),
    environ: dict[str, str] | None = None,
) -> dict[str, object]:
    settings = make_settings()
    world = TracingWorld(settings, MemoryExporter([outcome]))
    header = f"Root=1-{START_NS // 10**9:08x}-{'a' * 24};Parent={'b' * 16};Sampled={sampled}"
    return Diagnosis(
        DiagnosisSettings(settings.tracing, "7", has_app_telemetry=True),
        environ or {},
        world.tracing,
        world.clock,
        modules=modules,
        is_sdk_enabled=lambda: True,
    ).report(parse_trace_header(header))


@pytest.mark.parametrize(
    ("sampled", "outcome", "state", "why"),
    [
        (1, Outcome.DELIVERED, "recording", "the collector took a span"),
        (0, Outcome.DELIVERED, "not_recording", "X-Ray did not sample this request"),
        (1, Outcome.FAILED, "not_recording", "localhost:4318"),
        (1, Outcome.UNCONFIRMED, "unknown", "did not answer in time"),
    ],
)
def test_the_state_is_what_the_checks_found(
    sampled: int, outcome: Outcome, state: str, why: str
) -> None:
    made = with_state(diagnosis(sampled=sampled, outcome=outcome))

    assert made["state"] == state
    assert why in made["why"]


def test_without_a_traced_invocation_it_is_off() -> None:
    made = trace_report()

    assert (made["state"], made["trace_id"]) == ("off", None)
    assert "outside of Lambda" in made["why"]


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "find_spec", lambda name: None)

    made = trace_report()

    assert made["state"] == "not_installed"
    assert "pip install 'lambda-streaming[tracing]'" in made["why"]


@pytest.mark.parametrize(
    ("modules", "environ", "named"),
    [
        (("opentelemetry.instrumentation.aws_lambda",), {}, "instrumentation of Lambda"),
        (("ddtrace",), {}, "ddtrace"),
        ((), {"FASTAPI_OTEL_AUTO_CONFIGURE": "true"}, "FASTAPI_OTEL_AUTO_CONFIGURE"),
    ],
)
def test_what_records_twice_is_named(
    modules: tuple[str, ...], environ: dict[str, str], named: str
) -> None:
    check = conflict(diagnosis(modules=modules, environ=environ))

    assert check["status"] == "failed"
    assert named in check["why"]
    assert check["fix"]


def test_instrumentations_that_join_the_trace_are_no_conflict() -> None:
    joined = ("opentelemetry.instrumentation.httpx", "opentelemetry.instrumentation.fastapi")

    assert conflict(diagnosis(modules=joined))["status"] == "ok"


def test_each_instrumentation_is_active_or_inactive_or_in_conflict() -> None:
    modules = {
        "of.httpx": module(is_active=True),
        "of.botocore": module(is_active=False),
        "of.lambda": module(is_active=True),
        "ddtrace": ModuleType("ddtrace"),
    }
    named = {"httpx": "of.httpx", "botocore": "of.botocore", "aws-lambda": "of.lambda"}
    installed = [entry_point(name, target) for name, target in named.items()]

    assert instrumentations([*installed, entry_point("redis", "of.redis")], modules) == {
        "aws-lambda": "conflicting",
        "botocore": "inactive",
        "ddtrace": "conflicting",
        "httpx": "active",
        "redis": "inactive",
    }


def conflict(made: dict[str, Any]) -> dict[str, str]:
    (check,) = (one for one in made["checks"] if one["name"] == "double_instrumentation")
    return dict(check)


def entry_point(name: str, target: str) -> EntryPoint:
    return EntryPoint(name, f"{target}:Instrumentor", "opentelemetry_instrumentor")


def module(*, is_active: bool) -> ModuleType:
    made: Any = ModuleType("instrumentation")
    made.Instrumentor = lambda: SimpleNamespace(is_instrumented_by_opentelemetry=is_active)
    found: ModuleType = made
    return found
