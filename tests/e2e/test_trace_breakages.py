"""Ten ways to lose traces, each seeded into a real stack: `GET /trace` or the init error names it.

`xray_daemon` is never more than refused or unknown: UDP has no other answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.background import BackgroundStack
from local_aws.feed.sentiment.function import ENVIRONMENT
from local_aws.settings import FunctionSettings
from local_aws.traces.receivers.otlp_behaviour import HEALTHY, REFUSED, answers_status
from tests.e2e.conftest import StartStack
from tests.fakes.local import get, local_stack


@pytest.fixture(scope="module")
def shared() -> Iterator[BackgroundStack]:
    with local_stack(LOCAL_CONCURRENCY="1") as running:
        yield running


@pytest.fixture
def stack(shared: BackgroundStack) -> Iterator[BackgroundStack]:
    yield shared
    shared.collector_behaves(HEALTHY)


def ask(stack: BackgroundStack, **headers: str) -> dict[str, Any]:
    answer = get(f"{stack.url}/trace", **headers)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def failed(made: dict[str, Any]) -> dict[str, str]:
    """What is broken, and all that is said about it, by check."""
    return {
        c["name"]: f"{c['why']} / {c['fix']}" for c in made["checks"] if c["status"] == "failed"
    }


def only_failed(made: dict[str, Any], name: str) -> str:
    found = failed(made)
    assert list(found) == [name]
    return found[name]


def init_error(stack: BackgroundStack) -> str:
    """What Lambda shows the engineer of an init that failed."""
    assert get(f"{stack.url}/trace").status_code == 502
    body = json.loads(stack.invocations[-1].error_body or b"{}")
    return str(body["errorMessage"])


def test_collector_absent(stack: BackgroundStack) -> None:
    stack.collector_behaves(REFUSED)

    said = only_failed(ask(stack), "collector")
    assert "no collector listens there" in said
    assert "ADOT collector layer" in said


def test_put_trace_segments_denied(stack: BackgroundStack) -> None:
    """The collector answers 500 to what X-Ray answered with 403."""
    stack.collector_behaves(answers_status(500))

    said = only_failed(ask(stack), "collector")
    assert "HTTP 500" in said
    assert "xray:PutTraceSegments" in said


def test_sampling_off(stack: BackgroundStack) -> None:
    root = f"1-{int(time.time()):08x}-{'a' * 24}"
    header = f"Root={root};Parent={'b' * 16};Sampled=0"
    made = ask(stack, **{"x-amzn-trace-id": header})

    assert made["sampled"] is False
    assert "X-Ray did not sample this request" in only_failed(made, "sampled")


@pytest.mark.parametrize(("seconds", "word"), [(3600, "behind"), (-3600, "ahead of")])
def test_clock_skew(stack: BackgroundStack, seconds: int, word: str) -> None:
    """Seeded as a trace header made by a clock an hour away, in either direction."""
    root = f"1-{int(time.time()) + seconds:08x}-{'a' * 24}"
    header = f"Root={root};Parent={'b' * 16};Sampled=1"

    said = only_failed(ask(stack, **{"x-amzn-trace-id": header}), "clock")
    assert word in said


def test_the_daemon_is_absent(start_stack: StartStack) -> None:
    stack = start_stack()
    stack.call(stack.stack.daemon.stop())

    assert "AWS_XRAY_DAEMON_ADDRESS" in only_failed(ask(stack), "xray_daemon")


def test_wrong_endpoint(stack: BackgroundStack, start_stack: StartStack) -> None:
    """The path is there twice when it is copied from OTEL_EXPORTER_OTLP_TRACES_ENDPOINT."""
    endpoint = f"{stack.stack.collector.endpoint}/v1/traces"
    mistaken = start_stack(function=configured(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint))

    said = only_failed(ask(mistaken), "collector")
    assert "HTTP 404" in said
    assert "without /v1/traces" in said


def test_the_kill_switch_is_on(start_stack: StartStack) -> None:
    stack = start_stack(function=configured(OTEL_SDK_DISABLED="true"))

    assert "remove OTEL_SDK_DISABLED" in only_failed(ask(stack), "kill_switch")


def test_double_instrumentation(start_stack: StartStack, tmp_path: Path) -> None:
    """A layer's sitecustomize loads an instrumentor before the function's own code."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, types\n"
        "name = 'opentelemetry.instrumentation.botocore'\n"
        "sys.modules[name] = types.ModuleType(name)\n"
    )
    stack = start_stack(function=configured(PYTHONPATH=str(tmp_path)))

    said = only_failed(ask(stack), "double_instrumentation")
    assert "opentelemetry.instrumentation.botocore" in said


def test_the_service_names_differ(start_stack: StartStack) -> None:
    stack = start_stack(function=configured(OTEL_SERVICE_NAME="another"))

    said = init_error(stack)
    assert "OTEL_SERVICE_NAME='another' differs from POWERTOOLS_SERVICE_NAME" in said


def test_a_wrapper_is_set(start_stack: StartStack) -> None:
    stack = start_stack(function=configured(AWS_LAMBDA_EXEC_WRAPPER="/opt/otel-instrument"))

    assert "AWS_LAMBDA_EXEC_WRAPPER is set: remove it" in init_error(stack)


def configured(**more: str) -> FunctionSettings:
    """`passed_on` wins over the stack's own wiring; `environment` is for everything else."""
    return FunctionSettings(
        environment={**ENVIRONMENT, **more},
        passed_on={name: value for name, value in more.items() if name.startswith("OTEL_")},
    )
