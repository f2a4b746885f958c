"""Errors in both phases, and everything that a client may send."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from local_aws.background import BackgroundStack
from local_aws.data.faults import ACCESS_DENIED, THROTTLE
from local_aws.lambda_side.invocation import Invocation
from local_aws.traces.records import Record
from tests.counts import count
from tests.fakes.local import get, local_stack, open_stream, read_stream, request, wait_until

ALTERNATIONS = count(1000)
DENIED = replace(
    ACCESS_DENIED,
    message="User: arn:aws:sts::123456789012:assumed-role/role/function is not authorized to"
    " perform this on resource arn:aws:dynamodb:us-east-1:123456789012:table/connections",
)


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with local_stack(
        SSE_AUTH="iam",
        SSE_MAX_STREAM_SECONDS="1",
        POWERTOOLS_LOGGER_LOG_EVENT="true",  # asks for what must not be: events hold secrets
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults_afterwards(stack: BackgroundStack) -> Iterator[None]:
    yield
    stack.dynamodb.faults.clear()


def assert_aws_is_quoted_in_the_log_only(
    stack: BackgroundStack, invocation: Invocation, reported: bytes
) -> None:
    """A report is read by whoever invoked the function: an account's names are not for them."""
    report = json.loads(reported)
    assert report["errorType"] == "AwsRefused"
    assert report["errorMessage"].startswith("AccessDeniedException: ")
    assert b"arn:" not in reported
    assert b"authorized" not in reported
    log = "\n".join(line for line in stack.function_log() if invocation.request_id in line)
    assert DENIED.message in log


def root_span(stack: BackgroundStack, invocation: Invocation) -> Record:
    def found() -> list[Record]:
        records = stack.traces.records(invocation.trace.root)
        return [record for record in records if record.name == "sse_stream"]

    wait_until(found, "the root arrives")
    return found()[0]


def test_a_permanent_fault_before_the_first_byte_is_a_502(stack: BackgroundStack) -> None:
    stack.dynamodb.faults.add(DENIED, operation="Query")
    answer = get(f"{stack.url}/stream/status")
    stack.dynamodb.faults.clear()

    assert answer.status_code == 502
    invocation = stack.invocations[-1]
    assert_aws_is_quoted_in_the_log_only(stack, invocation, invocation.error_body)
    assert get(f"{stack.url}/stream/status").status_code == 200


def test_a_permanent_fault_after_it_is_a_whole_end_block_and_trailers(
    stack: BackgroundStack,
) -> None:
    stack.dynamodb.faults.add(DENIED, operation="PutItem")
    response = read_stream(f"{stack.url}/stream")
    stack.dynamodb.faults.clear()

    assert response.status == 200
    assert response.names == ["end"]
    assert response.events[0].data["reason"] == "error"
    trailers = {name.lower(): value for name, value in stack.invocations[-1].trailers.items()}
    assert trailers["lambda-runtime-function-error-type"] == "Function.AwsRefused"
    body = base64.b64decode(trailers["lambda-runtime-function-error-body"])
    assert_aws_is_quoted_in_the_log_only(stack, stack.invocations[-1], body)
    root = root_span(stack, stack.invocations[-1])
    assert DENIED.message in json.dumps(root.document)
    assert read_stream(f"{stack.url}/stream").names == ["ready", "end"]


@pytest.mark.timeout(600)
def test_good_and_bad_invocations_in_turn_leave_nothing_behind() -> None:
    """Bad in either phase by turns; every tenth good one is a stream, which takes its time."""
    with local_stack(
        LOCAL_CONCURRENCY="1", SSE_MAX_STREAM_SECONDS="1", SSE_METRICS_SECONDS="3600"
    ) as stack:
        url, status_url = f"{stack.url}/stream", f"{stack.url}/stream/status"
        for number in range(ALTERNATIONS // 2):
            is_streaming = number % 2 == 0
            rule = stack.dynamodb.faults.add(
                ACCESS_DENIED, operation="PutItem" if is_streaming else "Query"
            )
            if is_streaming:
                assert read_stream(url).names == ["end"], number
            else:
                assert get(status_url).status_code == 502, number
            stack.dynamodb.faults.remove(rule)
            if number % 10 == 0:
                assert read_stream(url).names == ["ready", "end"], number
            else:
                assert get(status_url).status_code == 200, number
        assert len({invocation.environment_pid for invocation in stack.invocations}) == 1


def test_throttling_in_the_handler_phase_is_busy_not_an_error(stack: BackgroundStack) -> None:
    stack.dynamodb.faults.add(THROTTLE, operation="GetItem", table="configurations")
    headers = {
        "authorization": "AWS4-HMAC-SHA256 Credential=alice/20261121/us-east-1/lambda/aws4_request,"
        " SignedHeaders=host, Signature=00"
    }
    with httpx.stream(
        "GET", f"{stack.url}/configurations/tech/stream", headers=headers, timeout=20
    ) as answer:
        text = answer.read().decode()

    assert answer.status_code == 200
    assert "event: busy" in text
    assert '"reason":"unavailable"' in text


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/stream?sentiment=angry", 400, "sentiment"),
        ("/stream?ticker=", 400, "ticker"),
        ("/stream?ticker=" + ",".join(f"T{n}" for n in range(51)), 400, "ticker"),
        ("/stream?backfill=-1", 400, "backfill"),
        ("/stream?backfill=101", 400, "backfill"),
        ("/stream?colour=red", 400, "colour"),
        ("/stream?ticker=%ff%fe", 400, "UTF-8"),
        ("/nothing", 404, "path"),
        ("/configurations/none/stream", 403, "IAM"),
    ],
)
def test_bad_input_gets_a_clear_answer(
    stack: BackgroundStack, path: str, status: int, word: str
) -> None:
    answer = get(f"{stack.url}{path}")

    assert answer.status_code == status
    error = answer.json()["error"]
    assert word in error["message"]
    assert error["request_id"]


@pytest.mark.parametrize("presented", ["x" * 10_000, "né", "1" + "A" * 60])
def test_an_unusable_last_event_id_is_a_reset(stack: BackgroundStack, presented: str) -> None:
    header = presented if presented.isascii() else "n%C3%A9"
    with open_stream(f"{stack.url}/stream", last_event_id=header) as (response, events):
        for _ in events:
            pass

    assert response.names == ["ready", "reset", "end"]


def test_other_methods_are_405_with_a_body(stack: BackgroundStack) -> None:
    answer = request("PUT", f"{stack.url}/stream")

    assert answer.status_code == 405
    assert "GET" in answer.json()["error"]["message"]


def test_no_query_string_and_no_id_reaches_the_log(stack: BackgroundStack) -> None:
    get(f"{stack.url}/stream?ticker=SECRET!WORD&last_event_id=SECRETID")
    read_stream(f"{stack.url}/stream?last_event_id=SECRETID")

    log = "\n".join(stack.function_log())
    assert "SECRET" not in log
