"""Every log line of an invocation says which request, trace and span it belongs to.

Lines of both phases, of worker threads, and of the loggers that know nothing of Powertools: the
runtime's and the span delivery's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.background import BackgroundStack
from local_aws.data.faults import ACCESS_DENIED, THROTTLE
from local_aws.traces.receivers.otlp_behaviour import REFUSED
from tests.fakes.local import SseResponse, get, local_stack, open_stream, wait_until


@pytest.fixture(scope="module")
def shared() -> Iterator[BackgroundStack]:
    with local_stack(
        LOCAL_CONCURRENCY="1", SSE_MAX_STREAM_SECONDS="1.5", SSE_POLL_SECONDS="0.2"
    ) as running:
        yield running


@pytest.fixture
def stack(shared: BackgroundStack) -> Iterator[BackgroundStack]:
    yield shared
    shared.back_to_normal()


def lines_since(stack: BackgroundStack, seen: int) -> list[dict[str, Any]]:
    """Every line is JSON: none comes through another handler, in another form."""
    return [json.loads(line) for line in stack.function_log()[seen:]]


def stream_in_trouble(stack: BackgroundStack, header: str | None = None) -> SseResponse:
    """Polls fail, the slot cannot be released, and no collector takes the spans."""
    with open_stream(f"{stack.url}/stream", trace_header=header) as (response, events):
        next(events)
        stack.collector_behaves(REFUSED)
        stack.dynamodb.faults.add(THROTTLE, operation="Query")
        stack.dynamodb.faults.add(THROTTLE, operation="DeleteItem")
        for _ in events:
            pass
    return response


def test_a_streams_lines_name_its_request_its_trace_and_its_span(stack: BackgroundStack) -> None:
    seen = len(stack.function_log())
    response = stream_in_trouble(stack)

    def messages() -> list[str]:
        return [line["message"] for line in lines_since(stack, seen)]

    wait_until(lambda: "stream ended" in messages(), "the stream's line is written")
    stack.back_to_normal()
    get(f"{stack.url}/stream/status")  # its flush delivers what was kept

    root = _span_id(stack, response.trace_id, "sse_stream")
    found = [
        line for line in lines_since(stack, seen) if line.get("xray_trace_id") == response.trace_id
    ]
    said = " | ".join(str(line["message"]) for line in found)
    for words in ("a poll failed", "slot is not released", "stream ended", "did not take the"):
        assert words in said
    request_id = stack.invocations[-2].request_id
    assert {line["function_request_id"] for line in found} == {request_id}
    assert {line["span_id"] for line in found} == {root}
    assert [line["message"] for line in lines_since(stack, seen)].count("stream ended") == 1


def test_the_handler_phases_lines_name_its_subsegment(stack: BackgroundStack) -> None:
    """`the handler failed` is the runtime's, after Powertools is done."""
    seen = len(stack.function_log())
    stack.dynamodb.faults.add(THROTTLE, operation="Query")
    assert get(f"{stack.url}/stream/status").status_code == 503
    stack.dynamodb.faults.clear()
    stack.dynamodb.faults.add(ACCESS_DENIED, operation="Query")
    assert get(f"{stack.url}/stream/status").status_code == 502
    wait_until(lambda: len(lines_since(stack, seen)) >= 2, "both lines are written")

    for line, invocation, words in zip(
        lines_since(stack, seen),
        stack.invocations[-2:],
        ("answered 503", "the handler failed"),
        strict=True,
    ):
        assert words in line["message"]
        assert line["function_request_id"] == invocation.request_id
        assert line["xray_trace_id"] == invocation.trace.root
        assert line["span_id"] == _span_id(stack, invocation.trace.root, "## handler")


def test_an_unsampled_streams_lines_have_no_span_but_request_and_trace(
    stack: BackgroundStack,
) -> None:
    seen = len(stack.function_log())
    root = f"1-{int(time.time()):08x}-{'c' * 24}"
    stream_in_trouble(stack, f"Root={root};Parent={'b' * 16};Sampled=0")
    wait_until(
        lambda: any(line["message"] == "stream ended" for line in lines_since(stack, seen)),
        "the stream's line is written",
    )

    found = lines_since(stack, seen)
    assert {line["xray_trace_id"] for line in found} == {root}
    assert {line["function_request_id"] for line in found} == {stack.invocations[-1].request_id}
    assert not any(line.get("span_id") for line in found)


def test_an_unsampled_handler_phases_line_has_no_span(stack: BackgroundStack) -> None:
    """The X-Ray SDK gives what it does not record an id of zeros."""
    seen = len(stack.function_log())
    stack.dynamodb.faults.add(THROTTLE, operation="Query")
    header = f"Root=1-{int(time.time()):08x}-{'d' * 24};Parent={'b' * 16};Sampled=0"
    assert get(f"{stack.url}/stream/status", **{"x-amzn-trace-id": header}).status_code == 503
    wait_until(lambda: lines_since(stack, seen), "the line is written")

    (line,) = lines_since(stack, seen)
    assert "answered 503" in line["message"]
    assert not line.get("span_id")


def _span_id(stack: BackgroundStack, trace_id: str, name: str) -> str:
    def ids() -> list[str]:
        return [r.id for r in stack.traces.records(trace_id) if r.name == name]

    wait_until(ids, f"{name} arrives")
    (found,) = ids()
    return found
