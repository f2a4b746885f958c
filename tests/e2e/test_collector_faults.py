"""Whatever the collector does, the client sees the same stream; losses are bounded and known."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from local_aws.background import BackgroundStack
from local_aws.traces.receivers.otlp_behaviour import (
    DIES_MID_ANSWER,
    HEALTHY,
    REFUSED,
    RESET,
    SILENT,
    Behaviour,
    answers_status,
    trickles,
)
from tests.fakes.local import SseResponse, local_stack, read_stream, wait_until

FLUSH_SECONDS = 0.6
STREAM_SECONDS = 1.0


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with local_stack(
        LOCAL_CONCURRENCY="1",
        SSE_MAX_STREAM_SECONDS=str(STREAM_SECONDS),
        SSE_POLL_SECONDS="0.1",
        SSE_FLUSH_SECONDS=str(FLUSH_SECONDS),
    ) as running:
        read_stream(f"{running.url}/stream")  # a warm environment, so that times compare
        yield running


@pytest.fixture(autouse=True)
def _healthy_afterwards(stack: BackgroundStack) -> Iterator[None]:
    yield
    stack.call(stack.stack.collector.switch(HEALTHY))
    for _ in range(2):  # what was kept goes out, or is given up
        read_stream(f"{stack.url}/stream")
    stack.stack.traces.clear()


def shape(response: SseResponse) -> list[str]:
    """The blocks with what differs between any two streams masked."""
    masked = []
    for event in response.events:
        text = re.sub(r"^id: .*$", "id: *", event.raw, flags=re.MULTILINE)
        text = re.sub(r'"(trace_id|connection_id|session_id)":"[^"]*"', r'"\1":"*"', text)
        masked.append(re.sub(r'("?\w+_ms"?|retry): ?\d+|"retry_ms":\d+', "*", text))
    return masked


def seconds_from_end_block_to_end(response: SseResponse) -> float:
    assert response.ended_at is not None
    return response.ended_at - response.events[-1].at


@pytest.mark.parametrize(
    "behaviour",
    [REFUSED, SILENT, answers_status(503), trickles(1.0), RESET, DIES_MID_ANSWER],
    ids=["refused", "silent", "503", "a byte a second", "reset", "dies mid-answer"],
)
def test_the_client_sees_the_same_blocks_and_the_same_end(
    stack: BackgroundStack, behaviour: Behaviour
) -> None:
    healthy = read_stream(f"{stack.url}/stream")
    stack.call(stack.stack.collector.switch(behaviour))

    suffering = read_stream(f"{stack.url}/stream")
    asked_at = time.monotonic()
    following = read_stream(f"{stack.url}/stream")

    assert shape(suffering) == shape(healthy)
    assert seconds_from_end_block_to_end(suffering) <= (
        seconds_from_end_block_to_end(healthy) + 0.1
    )
    assert following.first_byte_at is not None
    assert following.first_byte_at - asked_at <= FLUSH_SECONDS + 2  # a machine may be busy


@pytest.mark.parametrize(
    "behaviour", [REFUSED, answers_status(503), RESET], ids=["refused", "503", "reset"]
)
def test_a_batch_that_was_not_taken_arrives_after_the_collector_recovers(
    stack: BackgroundStack, behaviour: Behaviour
) -> None:
    """With the same ids, and once: refused, reset and 5xx mean that the collector has nothing."""
    stack.call(stack.stack.collector.switch(behaviour))
    # Shorter than the first poll's export would be noticed: the bulk is what is kept.
    lost_for_now = read_stream(f"{stack.url}/stream")
    wait_until(lambda: "kept for one more try" in "\n".join(stack.function_log()), "it is kept")
    stack.call(stack.stack.collector.switch(HEALTHY))
    read_stream(f"{stack.url}/stream")

    def arrived() -> set[str]:
        return {r.name for r in stack.stack.traces.records(lost_for_now.trace_id)}

    wait_until(lambda: "sse_stream" in arrived(), "the kept batch arrives")
    assert not stack.stack.traces.resends


def test_a_batch_that_timed_out_unanswered_is_not_sent_again(stack: BackgroundStack) -> None:
    """The collector has it and goes on with it; sending it again would cost its size twice."""
    stack.call(stack.stack.collector.switch(SILENT))
    unanswered = read_stream(f"{stack.url}/stream")
    stack.call(stack.stack.collector.switch(HEALTHY))
    for _ in range(2):
        read_stream(f"{stack.url}/stream")

    names = [r.name for r in stack.stack.traces.records(unanswered.trace_id) if r.source == "otel"]
    assert names.count("connection_acquire") == 1
    assert not stack.stack.traces.resends
