"""One item from the console to a client, and one trace of it with both phases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from local_aws.background import BackgroundStack
from tests.fakes.local import (
    SseEvent,
    SseResponse,
    get,
    local_stack,
    open_stream,
    wait_until,
)

STREAM_SPANS = {
    "sse_stream",
    "connection_acquire",
    "connection_release",
    "dynamodb_poll",
    "sse_event_dispatch",
    "cloudwatch_put_metric",
    "DynamoDB.Query",
    "DynamoDB.GetItem",
    "DynamoDB.PutItem",
    "DynamoDB.DeleteItem",
    "CloudWatch.PutMetricData",
}


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with local_stack(SSE_MAX_STREAM_SECONDS="6") as running:
        yield running


def post_item(stack: BackgroundStack, headline: str) -> dict[str, Any]:
    answer = httpx.post(
        f"{stack.stack.console_url}/api/items",
        json={"sentiment_type": "positive", "headline": headline, "score": 0.8},
    )
    assert answer.status_code == 201, answer.text
    item: dict[str, Any] = answer.json()
    return item


def get_trace(stack: BackgroundStack, trace_id: str) -> dict[str, Any]:
    answer = httpx.get(f"{stack.stack.console_url}/api/traces/{trace_id}")
    assert answer.status_code == 200, answer.text
    trace: dict[str, Any] = answer.json()
    return trace


def names(trace: dict[str, Any], source: str) -> set[str]:
    return {record["name"] for record in trace["records"] if record["source"] == source}


@pytest.fixture(scope="module")
def streamed(stack: BackgroundStack) -> tuple[SseResponse, SseEvent, float, dict[str, Any]]:
    """A stream that got two items, the second while the feed was warm; and its trace."""
    with open_stream(f"{stack.url}/stream") as (response, events):
        assert next(events).name == "ready"
        post_item(stack, "first")
        first = next(events)
        assert first.data["headline"] == "first"
        posted_at = time.monotonic()
        post_item(stack, "second")
        second = next(events)
        for _ in events:
            pass
    trace_id = response.trace_id
    wait_until(
        lambda: "sse_stream" in names(get_trace(stack, trace_id), "otel"), "sse_stream arrives"
    )
    return response, second, second.at - posted_at, get_trace(stack, trace_id)


def test_an_item_posted_to_the_console_appears_soon(
    streamed: tuple[SseResponse, SseEvent, float, dict[str, Any]],
) -> None:
    response, second, seconds, _ = streamed

    assert second.data["headline"] == "second"
    assert second.data["score"] == 0.8
    assert seconds <= 1.5  # an item came within the last 10 s: polls are a second apart
    assert len({event.id for event in response.events}) == len(response.events)


def test_both_phases_are_in_the_trace_that_ready_names(
    streamed: tuple[SseResponse, SseEvent, float, dict[str, Any]],
) -> None:
    _, _, _, trace = streamed

    assert "## handler" in names(trace, "xray")
    assert names(trace, "otel") == STREAM_SPANS


def test_the_spans_hang_together_and_carry_their_attributes(
    streamed: tuple[SseResponse, SseEvent, float, dict[str, Any]],
) -> None:
    response, _, _, trace = streamed
    ready = response.events[0].data
    records = {record["id"]: record for record in trace["records"]}
    (root,) = (r for r in records.values() if r["name"] == "sse_stream")
    (handler,) = (r for r in records.values() if r["name"] == "## handler")

    assert handler["annotations"]["route"] == "GET /stream"
    assert root["parent_id"] == handler["parent_id"]  # both below Lambda's own segment
    assert root["annotations"] == {
        "connection_id": ready["connection_id"],
        "session_id": ready["session_id"],
        "connection_sequence": 1,
        "end_reason": "rotate",
        "is_cold_start": True,
    }
    said = root["metadata"]["default"]
    assert said["events_yielded"] == len(response.events)
    assert said["spans_rolled_up"] == 0
    assert said["spans_lost"] == 0
    for record in records.values():
        if record["source"] == "otel" and record is not root:
            parent = records[record["parent_id"]]
            is_request = "." in record["name"]
            assert (parent is root) is not is_request
            assert record["start"] >= root["start"]
            assert record["end"] <= root["end"]


def test_the_root_spans_the_whole_iteration(
    streamed: tuple[SseResponse, SseEvent, float, dict[str, Any]],
) -> None:
    response, _, _, trace = streamed
    (root,) = (r for r in trace["records"] if r["name"] == "sse_stream")
    assert response.first_byte_at is not None
    assert response.ended_at is not None

    lasted = root["end"] - root["start"]
    streamed_for = response.ended_at - response.first_byte_at
    assert streamed_for - 0.1 <= lasted <= streamed_for + 2.5  # the release comes after the body
    assert lasted == pytest.approx(root["metadata"]["default"]["stream_ms"] / 1000, abs=0.05)


def test_every_aws_request_is_recorded_exactly_once(
    streamed: tuple[SseResponse, SseEvent, float, dict[str, Any]], stack: BackgroundStack
) -> None:
    """While streaming: as CLIENT spans only. In the handler phase: as subsegments only."""
    _, _, _, trace = streamed
    assert not [r for r in trace["records"] if r["source"] == "xray" and r["name"] == "dynamodb"]

    answer = get(f"{stack.url}/stream/status")
    trace_id = answer.headers["x-amzn-trace-id"].split(";")[0].removeprefix("Root=")
    wait_until(
        lambda: "dynamodb" in names(get_trace(stack, trace_id), "xray"), "the subsegment arrives"
    )
    status_trace = get_trace(stack, trace_id)
    assert [r["name"] for r in status_trace["records"]].count("dynamodb") == 1
    assert names(status_trace, "otel") == set()


def test_a_reconnect_continues_the_session_and_links_its_traces(
    streamed: tuple[SseResponse, SseEvent, float, dict[str, Any]], stack: BackgroundStack
) -> None:
    first, _, _, _ = streamed
    opened = open_stream(
        f"{stack.url}/stream", last_event_id=first.events[-1].id, trace_header="Sampled=1"
    )
    with opened as (second, events):
        ready = next(events)
        for _ in events:
            pass
    assert ready.data["resumed"] is True
    assert ready.data["session_id"] == first.events[0].data["session_id"]
    assert ready.data["sequence"] == 2
    assert second.names[1:] == ["end"]  # nothing again after a clean end

    trace_id = second.trace_id
    wait_until(
        lambda: "sse_stream" in names(get_trace(stack, trace_id), "otel"), "sse_stream arrives"
    )
    (root,) = (r for r in get_trace(stack, trace_id)["records"] if r["name"] == "sse_stream")
    assert root["annotations"]["previous_trace_id"] == first.trace_id
    assert root["annotations"]["trace_from_client"] is True


def test_a_root_that_repeats_under_a_new_parent_gives_two_branches(stack: BackgroundStack) -> None:
    """A retry on a warm environment: the X-Ray SDK alone would keep the first parent."""
    root = "1-6b01aaaa-000000000000000000000001"
    for parent in ("00000000000000a1", "00000000000000a2"):
        header = f"Root={root};Parent={parent};Sampled=1"
        answer = get(f"{stack.url}/stream/status", **{"x-amzn-trace-id": header})
        assert answer.status_code == 200

    def handlers() -> list[str]:
        records = get_trace(stack, root)["records"]
        return [r["parent_id"] for r in records if r["name"] == "## handler"]

    wait_until(lambda: len(handlers()) == 2, "both handler subsegments arrive")
    assert len(set(handlers())) == 2
