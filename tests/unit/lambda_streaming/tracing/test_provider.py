"""OpenTelemetry as this service builds it: whatever its environment says, streams go on."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lambda_streaming.tracing.export import provider
from lambda_streaming.tracing.export.one_try import Outcome
from lambda_streaming.tracing.header import parse_trace_header
from lambda_streaming.tracing.step import Trace
from lambda_streaming.tracing.tracer import Tracing
from tests.fakes.spans import ROOT, SAMPLED, StepClock, TracingWorld, end
from tests.fakes.streams import make_settings

PREVIOUS = ("5759e988" + "a" * 24, "b" * 16)

ONE_STREAM = """
import json, logging
logging.basicConfig(format="%(levelname)s %(message)s")
from tests.fakes.spans import TracingWorld, begin, end, finish
world = TracingWorld()
trace = world.start(link_to=("5759e988" + "a" * 24, "b" * 16))
finish(begin(trace, "dynamodb_poll"), ValueError("a defect"))
end(trace)
spans = world.flushed()
print(json.dumps({
    "type": type(trace).__name__,
    "attributes": [len(span.attributes) for span in spans],
    "events": [len(span.events) for span in spans],
    "links": [len(span.links) for span in spans],
    "values": sorted({str(v) for span in spans for v in span.attributes.values()}),
}))
"""

NO_STREAM = """
import json, logging
logging.basicConfig(format="%(levelname)s %(message)s")
from lambda_streaming.clock import SystemClock
from lambda_streaming.tracing.header import parse_trace_header
from lambda_streaming.tracing.tracer import Tracing
from tests.fakes.streams import make_settings
tracing = Tracing(make_settings().tracing, {}, SystemClock())
header = parse_trace_header("HEADER")
print(json.dumps([type(tracing.start("root", header)).__name__ for _ in range(3)]))
""".replace("HEADER", SAMPLED)


def run_program(program: str, **environ: str) -> tuple[Any, str]:
    """(what it printed as JSON, its log) in a process with these variables."""
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": "src:.", **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout), run.stderr


def test_limits_from_the_environment_take_nothing_from_a_span() -> None:
    """One process for all of them: the SDK reads them when it is imported."""
    usual, _ = run_program(ONE_STREAM)
    limited, log = run_program(
        ONE_STREAM,
        OTEL_ATTRIBUTE_COUNT_LIMIT="1",
        OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="3",
        OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT="1",
        OTEL_LINK_ATTRIBUTE_COUNT_LIMIT="0",
        OTEL_SPAN_EVENT_COUNT_LIMIT="0",
        OTEL_SPAN_LINK_COUNT_LIMIT="0",
        OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="5",
        OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT="5",
    )

    assert usual["type"] == "SampledTrace"
    assert limited == usual
    assert log == ""


def test_a_variable_that_the_sdk_cannot_read_leaves_streams_untraced_and_is_named() -> None:
    """It fails when it is imported."""
    told, log = run_program(NO_STREAM, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="abc")

    assert told == ["Trace"] * 3
    (line,) = log.splitlines()
    assert line.startswith("WARNING")
    assert "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT" in line


def test_a_tracer_that_cannot_be_built_costs_the_spans_and_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("no such detector")

    monkeypatch.setattr(provider, "build_tracer", fail)
    world = TracingWorld()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            trace = world.start(link_to=PREVIOUS)
            with trace.step("dynamodb_poll"):
                pass
            end(trace)
        outcome = world.tracing.probe("trace_probe", parse_trace_header(SAMPLED))

    assert type(trace) is Trace
    assert trace.trace_id == ROOT
    (record,) = caplog.records
    assert record.getMessage() == (
        "no spans of the streaming phase are recorded by this environment:"
        " LookupError: no such detector"
    )
    assert outcome is Outcome.FAILED
    assert world.tracing.last_problem == world.tracing.defect == "LookupError"


def test_an_exporter_that_cannot_be_built_costs_the_spans_and_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> SpanExporter:
        raise LookupError("no such exporter")

    tracing = Tracing(make_settings().tracing, {}, StepClock(), make_exporter=fail)
    header = parse_trace_header(SAMPLED)
    first = tracing.start("sse_stream", header)
    end(first)
    with caplog.at_level(logging.WARNING):
        tracing.buffer.flush()
        second = tracing.start("sse_stream", header)

    assert type(first) is not Trace
    assert type(second) is Trace
    assert tracing.defect == "LookupError"
    assert caplog.messages == [
        "no spans of the streaming phase are recorded by this environment:"
        " LookupError: no such exporter",
        "the collector rejected 1 of 1 spans for good: lost",
    ]
    assert tracing.buffer.take_counts() == (1, 1)


def test_an_apps_own_exporter_gets_the_spans() -> None:
    memory = InMemorySpanExporter()
    tracing = Tracing(make_settings().tracing, {}, StepClock(), make_exporter=lambda: memory)
    end(tracing.start("sse_stream", parse_trace_header(SAMPLED)))
    tracing.buffer.flush()

    assert [span.name for span in memory.get_finished_spans()] == ["sse_stream"]
    assert tracing.buffer.last_outcome is Outcome.DELIVERED
