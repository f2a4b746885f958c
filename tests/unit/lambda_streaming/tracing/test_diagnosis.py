"""`GET /trace`: each thing that keeps traces from appearing is named, and nothing else is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_streaming.tracing.diagnosis.checks import Diagnosis
from lambda_streaming.tracing.diagnosis.daemon import parse_daemon_address
from lambda_streaming.tracing.diagnosis.problems import why_not_taken
from lambda_streaming.tracing.diagnosis.settings import DiagnosisSettings
from lambda_streaming.tracing.export.one_try import Outcome
from lambda_streaming.tracing.header import TraceHeader, parse_trace_header
from lambda_streaming.tracing.tracer import Tracing
from lambdas.sse_streaming import __version__
from tests.fakes.spans import START_NS, MemoryExporter, StepClock, TracingWorld
from tests.fakes.streams import make_settings

NOW_SECONDS = START_NS // 1_000_000_000
KEYS = ["trace_id", "sampled", "services", "checks", "versions", "last_flush"]
CHECKS = [
    "sampled",
    "kill_switch",
    "handler_tracer",
    "collector",
    "xray_daemon",
    "double_instrumentation",
    "clock",
]


def header(epoch_seconds: int = NOW_SECONDS, sampled: str = "1") -> str:
    return f"Root=1-{epoch_seconds:08x}-{'a' * 24};Parent={'b' * 16};Sampled={sampled}"


def report(
    trace_header: str | None = header(),
    *,
    outcome: Outcome = Outcome.DELIVERED,
    environ: dict[str, str] | None = None,
    modules: tuple[str, ...] = (),
    is_sdk_enabled: bool = True,
    defect: str | None = None,
    **settings: str,
) -> dict[str, Any]:
    world = TracingWorld(make_settings(**settings), MemoryExporter([outcome]))
    world.tracing.defect = defect
    diagnosis = Diagnosis(
        DiagnosisSettings(make_settings(**settings).tracing, __version__),
        environ or {},
        world.tracing,
        world.clock,
        modules=modules,
        is_sdk_enabled=lambda: is_sdk_enabled,
    )
    made: dict[str, Any] = diagnosis.report(parse_trace_header(trace_header))
    assert json.loads(json.dumps(made)) == made
    return made


def check(made: dict[str, Any], name: str) -> dict[str, str]:
    (found,) = (one for one in made["checks"] if one["name"] == name)
    assert set(found) == {"name", "status", "why", "fix"}
    assert bool(found["fix"]) or found["status"] == "ok", "what to do about it"
    return dict(found)


def test_it_has_exactly_its_keys_and_checks() -> None:
    made = report()

    assert list(made) == KEYS
    assert [one["name"] for one in made["checks"]] == CHECKS
    assert made["trace_id"] == f"1-{NOW_SECONDS:08x}-{'a' * 24}"
    assert made["sampled"] is True
    assert made["services"] == {"handler": "sse-streaming", "streaming": "sse-streaming"}
    assert made["last_flush"]["outcome"] == "delivered"


def test_everything_in_order_is_ok() -> None:
    made = report()

    assert {one["name"]: one["status"] for one in made["checks"]} == {
        **dict.fromkeys(CHECKS, "ok"),
        "xray_daemon": "failed",  # no address here
    }


@pytest.mark.parametrize(
    ("trace_header", "words"),
    [(None, "no usable trace header"), (header(sampled="0"), "did not sample")],
)
def test_an_unsampled_request(trace_header: str | None, words: str) -> None:
    made = report(trace_header)

    assert made["sampled"] is False
    assert words in check(made, "sampled")["why"]
    assert check(made, "collector")["status"] == "unknown"


def test_the_kill_switch() -> None:
    made = report(OTEL_SDK_DISABLED="true")

    assert "OTEL_SDK_DISABLED" in check(made, "kill_switch")["fix"]
    assert check(made, "kill_switch")["status"] == "failed"
    assert check(made, "collector")["status"] == "unknown"


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("POWERTOOLS_TRACE_DISABLED", "true", "failed"),
        ("AWS_XRAY_SDK_ENABLED", "False", "failed"),
        ("AWS_XRAY_SDK_ENABLED", "true", "ok"),
        *(("POWERTOOLS_TRACE_DISABLED", yes, "failed") for yes in ("1", "t", "y", "YES", "on")),
        *(("AWS_XRAY_SDK_ENABLED", no, "failed") for no in ("0", "no", "N", "f", "off")),
        ("POWERTOOLS_TRACE_DISABLED", "f", "ok"),
    ],
)
def test_the_switches_of_the_handler_phases_tracer(name: str, value: str, status: str) -> None:
    found = check(report(environ={name: value}), "handler_tracer")

    assert found["status"] == status
    assert (name in found["why"]) is (status == "failed")


def test_a_tracer_that_the_sdk_has_switched_off_is_found() -> None:
    """Powertools switches the SDK off for reasons of its own, such as AWS_SAM_LOCAL."""
    assert check(report(is_sdk_enabled=False), "handler_tracer")["status"] == "failed"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.DELIVERED, "ok"),
        (Outcome.UNCONFIRMED, "unknown"),
        (Outcome.FAILED, "failed"),
        (Outcome.REJECTED, "failed"),
    ],
)
def test_what_became_of_the_probe(outcome: Outcome, status: str) -> None:
    assert check(report(outcome=outcome), "collector")["status"] == status


@pytest.mark.parametrize(
    ("problem", "word_of_why", "word_of_fix"),
    [
        ("HTTP 500", "X-Ray refused", "PutTraceSegments"),
        ("HTTP 429", "X-Ray refused", "PutTraceSegments"),
        ("HTTP 503", "cannot reach X-Ray", "log"),
        ("HTTP 400", "could not read", "log lines"),
        ("HTTP 401", "wants credentials", "authenticate"),
        ("HTTP 403", "wants credentials", "authenticate"),
        ("HTTP 413", "larger than the receiver takes", "SSE_TRACE_SPAN_BUDGET"),
        ("rejected spans", "rejected", "log lines"),
        ("not OTLP", "no OTLP/HTTP receiver", "without /v1/traces"),
        ("HTTP 405", "no OTLP/HTTP receiver", "without /v1/traces"),
        ("HTTP 302", "no OTLP/HTTP receiver", "without /v1/traces"),
        ("HTTP 404", "no OTLP/HTTP receiver", "without /v1/traces"),
        ("ConnectionRefusedError", "no collector listens", "collector layer"),
        ("gaierror", "no such host", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("RemoteDisconnected", "no answer in HTTP", "4317"),
        (None, "no answer", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)
def test_why_a_collector_took_nothing(
    problem: str | None, word_of_why: str, word_of_fix: str
) -> None:
    why, fix = why_not_taken(problem, "SSE_TRACE_SPAN_BUDGET")

    assert word_of_why in why
    assert word_of_fix in fix


@pytest.mark.parametrize(
    ("module", "status"),
    [
        ("opentelemetry.instrumentation.botocore", "failed"),
        ("opentelemetry.instrumentation.auto_instrumentation.sitecustomize", "failed"),
        ("opentelemetry.instrumentation.utils", "ok"),
        ("opentelemetry.sdk.trace", "ok"),
    ],
)
def test_double_instrumentation(module: str, status: str) -> None:
    found = check(report(modules=("json", module)), "double_instrumentation")

    assert found["status"] == status
    assert (module in found["why"]) is (status == "failed")


@pytest.mark.parametrize(
    ("seconds_ahead", "status", "word"),
    [
        (0, "ok", "0 s after"),
        (200, "ok", ""),
        (3600, "failed", "3600 s ahead of"),
        (-3600, "failed", "3600 s behind"),
    ],
)
def test_clock_skew(seconds_ahead: int, status: str, word: str) -> None:
    found = check(report(header(NOW_SECONDS - seconds_ahead)), "clock")

    assert found["status"] == status
    assert word in found["why"]


def test_a_check_that_fails_itself_is_unknown_and_the_others_go_on() -> None:
    """Sockets are blocked here, and the address is a secret put into the wrong variable."""
    secret = "hunter2:8080"
    for address in (secret, "no address at all", "127.0.0.1:99999"):
        made = report(environ={"AWS_XRAY_DAEMON_ADDRESS": address})

        found = check(made, "xray_daemon")
        assert found["status"] == "unknown"
        assert "remove AWS_XRAY_DAEMON_ADDRESS" in found["fix"]
        assert "the check itself failed" in found["why"]
        assert address not in json.dumps(made)
        assert check(made, "clock")["status"] == "ok"


def report_of(tracing_class: type[Tracing]) -> dict[str, Any]:
    settings, clock = make_settings().tracing, StepClock()
    tracing = tracing_class(settings, {}, clock)
    diagnosis = Diagnosis(DiagnosisSettings(settings, __version__), {}, tracing, clock)
    return diagnosis.report(parse_trace_header(header()))


class RejectingTracing(Tracing):
    """A collector that takes the batch and would not have the probe in it."""

    last_problem = "rejected spans"

    def probe(self, name: str, header: TraceHeader) -> Outcome | None:
        return Outcome.DELIVERED


def test_a_probe_that_was_taken_and_rejected_is_not_ok() -> None:
    made = report_of(RejectingTracing)

    assert check(made, "collector")["status"] == "failed"


class BrokenTracing(Tracing):
    def probe(self, name: str, header: TraceHeader) -> Outcome | None:
        raise RuntimeError("token=hunter2")


def test_a_probe_that_raises_does_not_break_the_answer() -> None:
    made = report_of(BrokenTracing)

    assert check(made, "collector")["why"] == "the check itself failed: RuntimeError"
    assert "hunter2" not in json.dumps(made)


def test_a_tracer_that_cannot_be_built_is_not_the_collectors_fault() -> None:
    found = check(report(defect="ValueError"), "collector")

    assert found["status"] == "failed"
    assert "ValueError" in found["why"]
    assert "OTEL_*" in found["fix"]


def test_no_value_of_a_variable_is_told_but_the_collectors_host_and_port() -> None:
    told = json.dumps(
        report(
            outcome=Outcome.FAILED,
            environ={"AWS_SESSION_TOKEN": "secret-token", "AWS_XRAY_DAEMON_ADDRESS": "secret:1"},
            SSE_ID_KEY="secret-of-sixteen-bytes",
            OTEL_EXPORTER_OTLP_ENDPOINT="http://collector:4318/tenant/secret-path",
        )
    )

    assert "secret" not in told
    assert "collector:4318" in told


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:2000", ("127.0.0.1", 2000)),
        ("tcp:127.0.0.1:2001 udp:127.0.0.2:2000", ("127.0.0.2", 2000)),
        ("udp:127.0.0.2:2000 tcp:127.0.0.1:2001", ("127.0.0.2", 2000)),
    ],
)
def test_the_daemons_address_has_two_forms(address: str, expected: tuple[str, int]) -> None:
    assert parse_daemon_address(address) == expected
