"""A stream always ends itself and says why: when a client stalls, and when DynamoDB, CloudWatch or
the collector hang exactly then."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from local_aws.background import BackgroundStack
from local_aws.data.clients import local_client
from local_aws.data.faults import Hang
from local_aws.lambda_side.invocation import Outcome
from local_aws.traces.receivers.otlp_behaviour import SILENT
from tests.fakes.havoc import by_the_function
from tests.fakes.local import get, local_stack, open_stream, wait_until

AWS_TIMEOUT_SECONDS = 0.5
FLUSH_SECONDS = 0.5
FINISH_SECONDS = 2.0
STALL_SECONDS = 1.0
SIGNED = {
    "authorization": "AWS4-HMAC-SHA256 Credential=alice/20261121/us-east-1/lambda/aws4_request,"
    " SignedHeaders=host, Signature=00"
}


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with local_stack(
        LOCAL_CONCURRENCY="1",
        LOCAL_TIMEOUT_SECONDS="6",
        SSE_AUTH="iam",
        SSE_MAX_STREAM_SECONDS="1",
        SSE_DEADLINE_MARGIN_SECONDS="3",
        SSE_AWS_TIMEOUT_SECONDS=str(AWS_TIMEOUT_SECONDS),
        SSE_FLUSH_SECONDS=str(FLUSH_SECONDS),
        SSE_STALL_SECONDS=str(STALL_SECONDS),
        SSE_POLL_SECONDS="0.2",
        SSE_LEASE_SECONDS="3",
        SSE_MAX_STREAM_BYTES="200000000",
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults(stack: BackgroundStack) -> None:
    stack.back_to_normal()


def hang_release(stack: BackgroundStack) -> None:
    stack.dynamodb.faults.add(Hang(), operation="DeleteItem", where=by_the_function)


def hang_everything_of_dynamodb(stack: BackgroundStack) -> None:
    stack.dynamodb.faults.add(Hang(), where=by_the_function)


def hang_cloudwatch(stack: BackgroundStack) -> None:
    stack.cloudwatch.faults.add(Hang())


def hang_collector(stack: BackgroundStack) -> None:
    stack.collector_behaves(SILENT)


def hang_all(stack: BackgroundStack) -> None:
    hang_everything_of_dynamodb(stack)
    hang_cloudwatch(stack)
    hang_collector(stack)


@pytest.mark.parametrize(
    ("path", "hang"),
    [
        pytest.param(path, hang, marks=[] if hang is hang_all else pytest.mark.ci)
        for path in ("/stream", "/configurations/tech-positive/stream")
        for hang in (
            hang_release,
            hang_everything_of_dynamodb,
            hang_cloudwatch,
            hang_collector,
            hang_all,
        )
    ],
)
def test_a_hung_service_delays_neither_the_end_nor_the_next_invocation_for_long(
    stack: BackgroundStack, path: str, hang: Callable[[BackgroundStack], None]
) -> None:
    """The client has its `end` in time; the next one waits for the bounded clean-up at most."""
    with open_stream(f"{stack.url}{path}", more_headers=SIGNED) as (response, events):
        started = next(events).at
        hang(stack)
        for _ in events:
            pass
    invocation = stack.invocations[-1]
    wait_until(lambda: invocation.finished_at, "the environment rests", 10)

    assert response.events[-1].data["reason"] == "rotate"
    assert response.ended_at is not None
    assert response.ended_at - started < 1.0 + 0.6
    assert invocation.finished_at - invocation.answered_at < FINISH_SECONDS + FLUSH_SECONDS + 0.5
    assert invocation.outcome is Outcome.ANSWERED


def test_a_deadline_ends_a_stream_that_cannot_even_poll() -> None:
    """Three seconds before the timeout of five, whatever DynamoDB does."""
    with local_stack(
        LOCAL_TIMEOUT_SECONDS="5",
        SSE_DEADLINE_MARGIN_SECONDS="3",
        SSE_AWS_TIMEOUT_SECONDS="0.5",
        SSE_FLUSH_SECONDS="0.5",
        SSE_MAX_STREAM_SECONDS="300",
    ) as other:
        with open_stream(f"{other.url}/stream") as (response, events):
            started = next(events).at
            other.dynamodb.faults.add(Hang(), where=by_the_function)
            for _ in events:
                pass
        assert response.events[-1].data["reason"] == "deadline"
        assert response.ended_at is not None
        assert response.ended_at - started < 2.5
        wait_until(lambda: other.invocations[-1].finished_at, "the environment rests", 4)
        assert other.invocations[-1].outcome is Outcome.ANSWERED


def test_a_record_that_cannot_be_written_delays_the_end_by_a_second_at_most(
    stack: BackgroundStack,
) -> None:
    with open_stream(f"{stack.url}/stream") as (response, events):
        started = next(events).at
        stack.dynamodb.faults.add(Hang(), operation="PutItem", where=by_the_function)
        for number in range(9):
            stack.publish(item_id=f"busy-{number}")
        for _ in events:
            pass

    assert len(response.named("sentiment")) == 9
    assert response.events[-1].data["reason"] == "rotate"
    assert response.ended_at is not None
    assert response.ended_at - started < 1.0 + 1.0 + 0.5
    wait_until(lambda: any("the record was lost" in line for line in stack.function_log()), "told")


def test_a_client_that_stops_reading_is_disconnected_and_the_log_says_why() -> None:
    """Its connection breaks off without a last chunk; log and metric say `stalled`."""
    with local_stack(
        SSE_STALL_SECONDS=str(STALL_SECONDS),
        SSE_MAX_STREAM_SECONDS="30",
        SSE_MAX_STREAM_BYTES="200000000",
    ) as other:
        dynamodb = local_client("dynamodb", other.dynamodb.url)
        for number in range(30):  # 9 MB: more than all the sockets on the way hold
            dynamodb.put_item(
                TableName="items",
                Item={
                    "item_id": {"S": f"large-{number}"},
                    "sentiment_type": {"S": "positive"},
                    "published_at": {"N": str(round(time.time() * 1000))},
                    "text": {"S": "x" * 300_000},
                },
            )
        dynamodb.close()
        with _client_that_never_reads(other.url, "/stream?backfill=30"):
            wait_until(lambda: _endings(other), "the stream ends", 12)

        (ending,) = _endings(other)
        assert ending["reason"] == "stalled"
        assert ending["seconds"] < STALL_SECONDS + 5
        status = get(f"{other.url}/stream/status").json()
        assert status["current"] == 0
        assert {"Name": "Reason", "Value": "stalled"} in _reasons_in_cloudwatch(other)


def _client_that_never_reads(url: str, target: str) -> socket.socket:
    parts = urlsplit(url)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect((parts.hostname, parts.port))
    sock.sendall(f"GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    return sock


def _endings(stack: BackgroundStack) -> list[dict[str, Any]]:
    return [
        json.loads(line[line.index("{") :])
        for line in stack.function_log()
        if "stream ended" in line
    ]


def _reasons_in_cloudwatch(stack: BackgroundStack) -> list[dict[str, str]]:
    cloudwatch = local_client("cloudwatch", stack.cloudwatch.url)
    metrics = cloudwatch.list_metrics(Namespace="SSEStreaming", MetricName="StreamsEnded")
    cloudwatch.close()
    return [dimension for metric in metrics["Metrics"] for dimension in metric["Dimensions"]]
