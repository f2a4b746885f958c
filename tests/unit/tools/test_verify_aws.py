"""A deployment is judged from answers in AWS's shapes; botocore's Stubber checks those shapes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from tests.fakes import aws_answers as answers
from tools import cold_start, deployment_checks
from tools.deployment_checks import Finding
from tools.open_stream import Seen, event_blocks, sampled_header, signed, unsigned
from tools.trace_documents import Trace
from tools.verify_aws import (
    Aws,
    TraceNotFoundError,
    region_for,
    report,
    signature_for,
    verify,
)

WHOLE = [*answers.lambda_documents(), *answers.stream_documents()]


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = answers.STARTED

    def seconds(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Stubbed:
    """Clients whose answers are given beforehand, in order."""

    def __init__(self) -> None:
        session = boto3.session.Session("unused", "unused", region_name="us-east-1")
        clients = {name: session.client(name) for name in ("xray", "lambda", "logs")}
        self.stubs = {name: Stubber(client) for name, client in clients.items()}
        for stub in self.stubs.values():
            stub.activate()
        clock = Clock()
        self.aws = Aws(
            clients["xray"], clients["lambda"], clients["logs"], clock.seconds, clock.sleep
        )

    def answer(self, service: str, operation: str, response: Any, expected: Any = None) -> None:
        self.stubs[service].add_response(operation, response, expected)


@pytest.fixture
def stubbed() -> Iterator[Stubbed]:
    made = Stubbed()
    yield made
    for stub in made.stubs.values():
        stub.deactivate()


def trace(documents: list[dict[str, Any]], *, limit_exceeded: bool = False) -> Trace:
    answer = answers.traces(documents, limit_exceeded=limit_exceeded)
    return Trace.from_answer(answer["Traces"][0])


def open_stream() -> Seen:
    return Seen(answers.TRACE_ID, ("ready", "sentiment", "end"))


def verify_with(stubbed: Stubbed, *, documents: Any = WHOLE, lines: Any = ()) -> list[Finding]:
    for _ in range(2):
        stubbed.answer("xray", "batch_get_traces", answers.traces(documents))
    stubbed.answer("xray", "get_trace_graph", answers.graph(), {"TraceIds": [answers.TRACE_ID]})
    stubbed.answer("lambda", "get_function_configuration", answers.configuration())
    stubbed.answer(
        "logs",
        "filter_log_events",
        {"events": [{"message": line} for line in lines]},
        {
            "logGroupName": "/aws/lambda/sse-streaming",
            "startTime": int(answers.STARTED * 1000),
            "filterPattern": '?"collector server run finished with error" ?"Exporting failed"',
        },
    )
    return verify(stubbed.aws, answers.FUNCTION, open_stream)


def test_a_good_deployment_passes_every_check(stubbed: Stubbed) -> None:
    findings = verify_with(stubbed)
    assert [finding.check for finding in findings if not finding.passed] == []
    assert report(findings).endswith("6 passed, 0 failed")


def test_it_waits_until_the_trace_grows_no_more(stubbed: Stubbed) -> None:
    stubbed.answer("xray", "batch_get_traces", {"Traces": [], "UnprocessedTraceIds": []})
    stubbed.answer("xray", "batch_get_traces", answers.traces(answers.lambda_documents()))
    stubbed.answer("xray", "batch_get_traces", answers.traces(WHOLE[:3]))
    assert all(finding.passed for finding in verify_with(stubbed))


def test_a_trace_without_its_streaming_phase_says_where_to_look(stubbed: Stubbed) -> None:
    for _ in range(50):
        stubbed.answer("xray", "batch_get_traces", answers.traces(answers.lambda_documents()))
    with pytest.raises(TraceNotFoundError, match="look for the collector's lines"):
        verify(stubbed.aws, answers.FUNCTION, open_stream)


def test_the_collectors_complaints_fail_the_check(stubbed: Stubbed) -> None:
    findings = verify_with(stubbed, lines=["error Exporting failed. Rejecting data."])
    assert "Exporting failed" in next(f.detail for f in findings if not f.passed)


def test_a_stream_under_another_parent_is_not_one_trace_of_both_phases() -> None:
    orphaned = [dict(each) for each in answers.stream_documents()]
    orphaned[0]["parent_id"] = "ffff"
    whole = trace([*answers.lambda_documents(), *orphaned])
    assert not deployment_checks.both_phases_share_the_trace(whole, answers.FUNCTION).passed


def test_spans_that_end_with_the_handler_are_no_streaming_phase() -> None:
    only_root = trace([*answers.lambda_documents(), answers.stream_documents()[0]])
    assert not deployment_checks.spans_follow_the_handlers_return(only_root).passed


@pytest.mark.parametrize(
    ("documents", "limit_exceeded", "says"),
    [
        (WHOLE, True, "size limit"),
        ([*answers.lambda_documents(), *answers.stream_documents(spans_lost=3)], False, "3 spans"),
    ],
)
def test_dropped_documents_fail_the_check(
    documents: list[dict[str, Any]], limit_exceeded: bool, says: str
) -> None:
    whole = trace(documents, limit_exceeded=limit_exceeded)
    finding = deployment_checks.nothing_was_discarded(whole, [])
    assert not finding.passed
    assert says in finding.detail


def test_a_request_recorded_by_both_tracers_is_found() -> None:
    again = {
        "id": "e1",
        "name": "dynamodb",
        "namespace": "aws",
        "start_time": answers.STARTED + 1,
        "end_time": answers.STARTED + 2,
        "aws": answers.aws_call("Query", "REQUEST2"),
    }
    whole = trace([*answers.lambda_documents(again), *answers.stream_documents()])
    finding = deployment_checks.no_aws_request_is_recorded_twice(whole)
    assert (finding.passed, finding.detail) == (False, "twice: Query REQUEST2")


def test_a_second_node_for_the_service_is_found() -> None:
    another = {"ReferenceId": 4, "Name": answers.FUNCTION, "Type": "remote"}
    services = answers.graph(another)["Services"]
    assert not deployment_checks.one_node_for_the_service(services, answers.FUNCTION).passed


def test_a_wrapper_is_found() -> None:
    wrapped = answers.configuration(AWS_LAMBDA_EXEC_WRAPPER="/opt/otel-instrument")
    finding = deployment_checks.no_wrapper_is_set(wrapped)
    assert (finding.passed, finding.detail) == (
        False,
        "AWS_LAMBDA_EXEC_WRAPPER=/opt/otel-instrument",
    )


def test_event_blocks_are_read_as_they_come() -> None:
    lines = [b": open\n", b"event: ready\n", b"id: 1\n", b'data: {"trace_id": "1-a"}\n', b"\n"]
    assert list(event_blocks(iter(lines))) == [("", {}), ("ready", {"trace_id": "1-a"})]


def test_the_stream_asks_to_be_sampled() -> None:
    root, sampled = sampled_header(answers.STARTED).split(";")
    assert sampled == "Sampled=1"
    version, epoch, rest = root.removeprefix("Root=").split("-")
    assert (version, int(epoch, 16), len(rest)) == ("1", int(answers.STARTED), 24)


def test_requests_are_signed_for_lambda() -> None:
    session = boto3.session.Session("AKIAEXAMPLE", "secret", "token", region_name="eu-west-1")
    sign = signed(session, "eu-west-1")
    headers = sign("GET", "https://abc.lambda-url.eu-west-1.on.aws/stream?backfill=5")
    assert "/eu-west-1/lambda/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "token"


@pytest.mark.parametrize(
    ("url", "is_signed"),
    [("https://abc.lambda-url.us-east-1.on.aws/", True), ("https://d1.cloudfront.net/", False)],
)
def test_only_the_functions_own_url_is_signed_for(
    stubbed: Stubbed, url: str, is_signed: bool
) -> None:
    """CloudFront signs by itself."""
    stubbed.answer(
        "lambda",
        "get_function_url_config",
        {
            "FunctionUrl": "https://abc.lambda-url.us-east-1.on.aws/",
            "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:sse-streaming:live",
            "AuthType": "AWS_IAM",
            "CreationTime": "2026-11-21T00:00:00Z",
            "LastModifiedTime": "2026-11-21T00:00:00Z",
        },
    )
    sign = signature_for(stubbed.aws, None, url, answers.FUNCTION)
    assert (sign is not unsigned) == is_signed


def prepared_for_cold_starts(stubbed: Stubbed, log: bytes) -> None:
    """One sample of each variant: two copies made, started and deleted."""
    whole = {"Configuration": answers.configuration(), "Code": {"Location": "https://example.com"}}
    stubbed.answer("lambda", "get_function", whole)
    active = {"Configuration": {"State": "Active", "LastUpdateStatus": "Successful"}}
    for _ in range(2):
        stubbed.answer("lambda", "create_function", {})
        stubbed.answer("lambda", "get_function", active)
    for _ in range(2):
        stubbed.answer("lambda", "update_function_configuration", {})
        stubbed.answer("lambda", "get_function", active)
        result = base64.b64encode(log).decode()
        stubbed.answer("lambda", "invoke", {"StatusCode": 200, "LogResult": result})
        if b"Init Duration" not in log:
            break
    for _ in range(2):
        stubbed.answer("lambda", "delete_function", {}, {"FunctionName": ANY})


def test_cold_starts_are_measured_on_copies_that_are_deleted(stubbed: Stubbed) -> None:
    prepared_for_cold_starts(stubbed, b"REPORT Duration: 3.1 ms Init Duration: 612.40 ms")
    taken = cold_start.compare(
        stubbed.aws.functions, answers.FUNCTION, 1, mark="m", fetch=lambda url: b"zip"
    )
    assert taken == {"with": [612.4], "without": [612.4]}
    assert "adds 0 ms" in cold_start.summary(taken)
    stubbed.stubs["lambda"].assert_no_pending_responses()


def test_copies_are_deleted_after_a_failure_too(stubbed: Stubbed) -> None:
    prepared_for_cold_starts(stubbed, b"REPORT Duration: 3.1 ms")
    with pytest.raises(cold_start.NoInitReportedError):
        cold_start.compare(
            stubbed.aws.functions, answers.FUNCTION, 1, mark="m", fetch=lambda url: b"zip"
        )
    stubbed.stubs["lambda"].assert_no_pending_responses()


def test_the_region_is_the_function_urls_unless_one_is_given() -> None:
    url = "https://abcdefgh.lambda-url.eu-west-1.on.aws/"
    assert region_for(url, None, {"AWS_REGION": "us-east-1"}) == "eu-west-1"
    assert region_for(url, "sa-east-1", {}) == "sa-east-1"
    assert region_for("https://d1.cloudfront.net/", None, {"AWS_REGION": "us-east-1"}) == (
        "us-east-1"
    )
    assert region_for("https://d1.cloudfront.net/", None, {}) is None
