"""The tour's traces: what the adapter, the framework and the app record, and what they say."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx
import pytest
from starlette.testclient import TestClient

from examples.tour.app import app
from local_aws.background import BackgroundStack
from local_aws.traces.receivers.otlp_behaviour import HEALTHY, REFUSED
from local_aws.traces.records import Record
from tests.counts import count
from tests.examples.ways import served, wait_until_free, way_to

TOUR = "examples.tour.app:handler"
FUNCTION = "examples-tour-app"
INVOCATIONS = 5
PAUSE_SECONDS = count(20) / 10  # 2 seconds in CI
UNSAMPLED = {"x-amzn-trace-id": f"Root=1-6b000000-{'a' * 24};Parent={'b' * 16};Sampled=0"}


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with served(TOUR) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Traced:
    """An answer, and what was recorded of it by the time its environment was free again."""

    answer: httpx.Response
    trace_id: str
    function: str
    all_records: Sequence[Record]

    @property
    def records(self) -> dict[str, Record]:
        """By name, without Lambda's own segments."""
        return {one.name: one for one in self.all_records if one.name != self.function}

    @property
    def parents(self) -> dict[str, str]:
        """The name of each record's parent."""
        names = {record.id: record.name for record in self.all_records}
        return {name: names[record.parent_id or ""] for name, record in self.records.items()}


def ask(stack: BackgroundStack, path: str, headers: Mapping[str, str] | None = None) -> Traced:
    with way_to(stack, "function_url") as way:
        answer = way.client.get(path, headers=headers)
    wait_until_free(stack)
    trace_id = answer.headers["x-amzn-trace-id"][len("Root=") :].partition(";")[0]
    function = stack.stack.settings.function.name
    return Traced(answer, trace_id, function, stack.traces.records(trace_id))


def test_invocations_apart_are_all_traced_and_the_first_one_is_cold(stack: BackgroundStack) -> None:
    """Between them the environment is frozen."""
    asked = [ask(stack, "/health")]
    for _ in range(INVOCATIONS - 1):
        time.sleep(PAUSE_SECONDS)
        asked.append(ask(stack, "/health"))

    assert len({one.trace_id for one in asked}) == INVOCATIONS
    assert len(stack.invocations) == INVOCATIONS
    cold = [True] + [False] * (INVOCATIONS - 1)
    assert [one.records["## handler"].annotations["ColdStart"] for one in asked] == cold
    assert [one.records["asgi_request"].annotations["is_cold_start"] for one in asked] == cold


def test_adapter_framework_and_app_are_in_the_trace_of_the_invocation(
    stack: BackgroundStack,
) -> None:
    traced = ask(stack, "/fibonacci/6/numbers")

    assert traced.parents == {
        "## handler": FUNCTION,
        "asgi_request": FUNCTION,
        "asgi_handler": "asgi_request",
        "asgi_stream": "asgi_request",
        "fibonacci": "asgi_request",
        "GET /fibonacci/{n}/numbers": "asgi_request",
        "fastapi.dependencies": "GET /fibonacci/{n}/numbers",
        "fastapi.endpoint": "GET /fibonacci/{n}/numbers",
    }
    handler = traced.records["## handler"].annotations
    assert (handler["route"], handler["status"]) == ("/fibonacci/{n}/numbers", 200)


def test_the_app_sees_x_rays_trace(stack: BackgroundStack) -> None:
    traced = ask(stack, "/trace-test")

    seen = traced.answer.json()
    assert seen["trace_id"] == traced.trace_id
    _, trace_id, span_id, flags = seen["traceparent"].split("-")
    assert trace_id == traced.trace_id.removeprefix("1-").replace("-", "")
    assert (span_id, flags) == (traced.records["asgi_request"].id, "01")


def test_it_tells_that_it_records_with_which_versions(stack: BackgroundStack) -> None:
    report = ask(stack, "/trace-test").answer.json()

    assert report["state"] == "recording"
    assert {"lambda-streaming", "fastapi", "starlette", "opentelemetry-sdk"} <= set(
        report["versions"]
    )


def test_it_names_instrumentations_that_are_there_and_that_are_not(stack: BackgroundStack) -> None:
    states = ask(stack, "/trace-test").answer.json()["instrumentations"]

    assert states["fastapi.telemetry"] == "active"
    assert states["httpx"] == states["botocore"] == "inactive", "installed, and nobody's choice"


def test_installed_but_not_sampled_is_not_recording(stack: BackgroundStack) -> None:
    traced = ask(stack, "/trace-test", UNSAMPLED)

    report = traced.answer.json()
    assert report["state"] == "not_recording"
    assert "did not sample" in report["why"]
    assert "asgi_request" not in traced.records


def test_installed_without_a_collector_is_not_recording(stack: BackgroundStack) -> None:
    stack.collector_behaves(REFUSED)
    try:
        report = ask(stack, "/trace-test").answer.json()
    finally:
        stack.collector_behaves(HEALTHY)

    assert report["state"] == "not_recording"
    assert "no collector listens there" in report["why"]


def test_outside_of_lambda_it_is_off() -> None:
    with TestClient(app) as client:
        report = client.get("/trace-test").json()

    assert (report["state"], report["trace_id"]) == ("off", None)
    assert report["instrumentations"]["botocore"] == "absent"


def test_without_tracing_the_app_answers_the_same(stack: BackgroundStack) -> None:
    paths = ("/health", "/fibonacci/15", "/fibonacci/6/numbers", "/nothing")
    with served(TOUR, OTEL_SDK_DISABLED="true", POWERTOOLS_TRACE_DISABLED="true") as untraced:
        found = [ask(untraced, path) for path in paths]
        switched_off = ask(untraced, "/trace-test").answer.json()

    for path, without in zip(paths, found, strict=True):
        for other in (ask(stack, path), ask(stack, path, UNSAMPLED)):
            assert other.answer.status_code == without.answer.status_code
            assert said(other.answer) == said(without.answer)
        assert without.records == {}
    assert switched_off["state"] == "not_recording"
    assert "OTEL_SDK_DISABLED" in switched_off["why"]


def test_the_same_work_has_the_same_trace_in_a_plain_function(stack: BackgroundStack) -> None:
    """But for FastAPI's own spans, and for the parts of a request that an ASGI app tells of."""
    in_fastapi = ask(stack, "/fibonacci/6/numbers")
    with served("tests.examples.plain_fibonacci:handler") as plain:
        without = ask(plain, "/")
        report = ask(plain, "/trace-test")

    assert report.answer.json()["state"] == "recording"
    assert report.answer.json()["trace_id"] == report.trace_id
    assert without.answer.text == in_fastapi.answer.text
    assert without.parents == {
        "## handler": without.function,
        "response_stream": without.function,
        "fibonacci": "response_stream",
    }
    alike = {without.function: FUNCTION, "response_stream": "asgi_request"}
    expected = {
        alike.get(name, name): alike.get(parent, parent) for name, parent in without.parents.items()
    }
    assert {name: in_fastapi.parents[name] for name in expected} == expected
    assert expected.keys() ^ in_fastapi.parents.keys() == {
        *("asgi_handler", "asgi_stream"),
        *("GET /fibonacci/{n}/numbers", "fastapi.dependencies", "fastapi.endpoint"),
    }


def said(answer: httpx.Response) -> object:
    """The body but for the id of the request."""
    if answer.headers["content-type"] != "application/json":
        return answer.text
    body = answer.json()
    if "error" in body:
        body["error"].pop("request_id")
    return body
