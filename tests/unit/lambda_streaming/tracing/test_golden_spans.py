"""Every kind of span, as exported and as X-Ray gets it, pinned in tests/data/golden-spans.jsonl.

A refactor cannot change by accident what X-Ray shows. After a change that is meant, run this file
with `REWRITE_GOLDEN=1`, and read the difference.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from lambda_streaming.tracing.header import parse_trace_header
from lambda_streaming.tracing.sampled import probe_span
from lambda_streaming.tracing.step import Keep, Step
from lambdas.sse_streaming.aws.errors import AwsError, AwsRefused, AwsThrottled, AwsUnavailable
from local_aws.traces.xray.documents import to_document
from tests.fakes.aws_requests import aws_request
from tests.fakes.spans import SAMPLED, TracingWorld, begin, end, facts, finish
from tests.fakes.streams import make_settings

GOLDEN = Path(__file__).parents[3] / "data" / "golden-spans.jsonl"
PREVIOUS = ("5759e988" + "a" * 24, "b" * 16)
KEPT = ("connection_acquire", "connection_release", "cloudwatch_put_metric")
REQUEST_ID = "VJ9AVO1QHQ6TCKDNAOTVGSMMRVVV4KQNSO5AEMVJF66Q9ASUAAJG"


class _Recording:
    """One stream under which each case makes its step."""

    def __init__(self, **settings: str) -> None:
        self.world = TracingWorld(make_settings(**settings))
        self.trace = self.world.start(link_to=PREVIOUS)
        self.world.clock.pass_ms(1)

    def step(
        self,
        name: str,
        *requests: dict[str, Any],
        error: BaseException | None = None,
        **attributes: Any,
    ) -> None:
        step = begin(self.trace, name, keep=Keep.LAST if name in KEPT else Keep.BUDGET)
        for request in requests:
            self._request(step, **request)
        self.world.clock.pass_ms(1)
        step.set(**attributes)
        finish(step, error)

    def failed_poll(self, status: int, error: type[AwsError], code: str, message: str) -> None:
        """A poll whose request is answered with an error."""
        request = {"status": status, "error_code": code, "error_message": message}
        self.step("dynamodb_poll", request, error=raised(error(code, message)))

    def _request(self, step: Step, **changes: Any) -> None:
        started_ns = self.world.clock.now_ns
        self.world.clock.pass_ms(4)
        known: dict[str, Any] = {"region": "eu-central-1", "request_id": REQUEST_ID}
        step.add_request(aws_request(started_ns, self.world.clock.now_ns, **known | changes))

    def ended(self, reason: str = "rotate", error: BaseException | None = None) -> None:
        self.world.clock.pass_ms(1)
        attributes = facts(reason, previous_trace_id=f"1-5759e988-{'a' * 24}")
        end(self.trace, reason, error, attributes)


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def ordinary(record: _Recording) -> None:
    record.step(
        "connection_acquire",
        {"name": "GetItem", "table": "connections"},
        {
            "name": "PutItem",
            "table": "connections",
            "status": 400,
            "error_code": "ConditionalCheckFailedException",
            "error_message": "The conditional request failed",
        },
        connection_id="7.abc",
        max_connections=100,
        current_count=3,
    )
    record.step(
        "dynamodb_poll",
        {},
        item_count=7,
        changed_count=2,
        poll_duration_ms=5.25,
        sentiment_type="negative,neutral,positive",
        request_count=1,
    )
    started_ns = record.world.clock.now_ns
    record.world.clock.pass_ms(1)
    record.trace.record(
        "sse_event_dispatch",
        started_ns,
        event_type="sentiment",
        is_cold_start=False,
        latency_ms=12.0,
    )
    record.step(
        "connection_renew", {"name": "UpdateItem", "table": "connections"}, connection_id="7.abc"
    )
    record.step(
        "cloudwatch_put_metric",
        {"service": "monitoring", "name": "PutMetricData", "table": None, "request_id": "11-22"},
        metric_count=6,
        namespace="SSEStreaming",
    )
    record.step(
        "connection_release", {"name": "DeleteItem", "table": "connections"}, connection_id="7.abc"
    )
    record.ended()


def throttled(record: _Recording) -> None:
    record.failed_poll(400, AwsThrottled, "ThrottlingException", "Rate exceeded")
    record.ended()


def throttled_by_429(record: _Recording) -> None:
    record.failed_poll(429, AwsThrottled, "TooManyRequestsException", "Too many")
    record.ended()


def denied(record: _Recording) -> None:
    code, message = "AccessDeniedException", "not authorized to perform dynamodb:Query"
    record.failed_poll(400, AwsRefused, code, message)
    record.ended("error", raised(AwsRefused(code, message)))


def failed(record: _Recording) -> None:
    record.failed_poll(500, AwsUnavailable, "InternalServerError", "Internal server error")
    record.ended()


def unanswered(record: _Recording) -> None:
    timeout = raised(TimeoutError("read timed out"))
    unavailable = AwsUnavailable("ReadTimeoutError", "no usable answer in time")
    record.step(
        "dynamodb_poll",
        {"status": None, "request_id": None, "error": timeout},
        error=raised(unavailable, timeout),
    )
    record.ended()


def defective(record: _Recording) -> None:
    cause = raised(KeyError("published_at"))
    record.ended("error", raised(ValueError("an item cannot be read"), cause))


def rolled_up(record: _Recording) -> None:
    for count in (2, 3):
        record.step("dynamodb_poll", {}, {}, item_count=count, sentiment_type="positive")
    for _ in range(22):
        record.step("connection_renew", error=raised(AwsUnavailable("ServiceUnavailable", "no")))
    record.ended()


def unfinished(record: _Recording) -> None:
    """A poll that hangs when the process is told to exit, and the release that begins then."""
    step = begin(record.trace, "dynamodb_poll", sentiment_type="positive")
    record._request(step)
    record.world.clock.pass_ms(3000)
    begin(record.trace, "connection_release", keep=Keep.LAST, connection_id="7.abc")
    record.ended("shutdown")


def counted_only(record: _Recording) -> None:
    """A failure for whose requests no room is left."""
    for _ in range(100):
        record.step("dynamodb_poll", {}, {}, {}, item_count=0)
    error = raised(AwsUnavailable("InternalServerError", "m" * 900))
    record.step("connection_renew", {}, {}, error=error)
    record.ended()


def probed(record: _Recording) -> None:
    tracer, header = record.world.tracing._own_tracer(), parse_trace_header(SAMPLED)
    probe_span(tracer, "trace_probe", header, record.world.clock.now_ns)


CASES: dict[str, tuple[Callable[[_Recording], None], dict[str, str]]] = {
    "ordinary": (ordinary, {}),
    "throttled": (throttled, {}),
    "throttled_by_429": (throttled_by_429, {}),
    "denied": (denied, {}),
    "failed": (failed, {}),
    "unanswered": (unanswered, {}),
    "defective": (defective, {}),
    "rolled_up": (rolled_up, {"SSE_TRACE_SPAN_BUDGET": "1"}),
    "unfinished": (unfinished, {}),
    "counted_only": (counted_only, {"SSE_TRACE_SPAN_BUDGET": "1000"}),
    "probe": (probed, {}),
}

OF_ONE_NAME = {"counted_only": "connection_renew"}
"""Cases of which only these spans are pinned."""


def exported(case: str) -> list[dict[str, Any]]:
    """Each span of the case with its document, in the order of export."""
    make, settings = CASES[case]
    record = _Recording(**settings)
    make(record)
    spans: list[ReadableSpan] = record.world.flushed()
    names = {span.context.span_id: span.name for span in spans if span.context}
    found = []
    for group in encode_spans(spans).resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                told = json_format.MessageToDict(span)
                told["traceId"] = span.trace_id.hex()
                told["spanId"] = "*"
                told.get("attributes", []).sort(key=lambda one: one["key"])
                parent = int.from_bytes(span.parent_span_id, "big")
                told["parentSpanId"] = names.get(parent, span.parent_span_id.hex())
                for link, sent in zip(told.get("links", ()), span.links, strict=True):
                    link["traceId"] = sent.trace_id.hex()
                    link["spanId"] = sent.span_id.hex()
                document = to_document(span, group.resource)
                if case in OF_ONE_NAME and span.name != OF_ONE_NAME[case]:
                    continue
                found.append({"span": _masked(told), "document": _masked(document)})
    return found


_NOT_PINNED = {"startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "start_time", "end_time"}
_OF_THIS_CHECKOUT = {"id", "sdk_version", "path", "line", "label"}


def _masked(value: Any) -> Any:
    if isinstance(value, list):
        return [_masked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("key") == "exception.stacktrace":
        return {"key": "exception.stacktrace", "value": "*"}
    return {
        key: "*" if key in _NOT_PINNED | _OF_THIS_CHECKOUT else _masked(one)
        for key, one in value.items()
        if key != "parent_id"
    }


@pytest.fixture(scope="module")
def golden() -> dict[str, list[dict[str, Any]]]:
    """By case, one line a span."""
    if os.environ.get("REWRITE_GOLDEN") == "1":
        lines = ({"case": case, **one} for case in CASES for one in exported(case))
        compact = (json.dumps(line, sort_keys=True, separators=(",", ":")) for line in lines)
        GOLDEN.write_text("".join(f"{line}\n" for line in compact))
    pinned: dict[str, list[dict[str, Any]]] = {}
    for line in GOLDEN.read_text().splitlines():
        one = json.loads(line)
        pinned.setdefault(one.pop("case"), []).append(one)
    return pinned


@pytest.mark.parametrize("case", CASES)
def test_spans_and_their_documents_are_as_pinned(
    case: str, golden: dict[str, list[dict[str, Any]]]
) -> None:
    assert json.loads(json.dumps(exported(case))) == golden[case]


def test_all_kinds_are_pinned(golden: dict[str, list[dict[str, Any]]]) -> None:
    assert set(golden) == set(CASES)
    names = {one["span"]["name"] for case in golden.values() for one in case}
    assert names == {
        "sse_stream",
        "connection_acquire",
        "connection_renew",
        "connection_release",
        "dynamodb_poll",
        "sse_event_dispatch",
        "cloudwatch_put_metric",
        "DynamoDB.GetItem",
        "DynamoDB.PutItem",
        "DynamoDB.Query",
        "DynamoDB.UpdateItem",
        "DynamoDB.DeleteItem",
        "CloudWatch.PutMetricData",
        "trace_probe",
    }


# What the documents say, in words


def flags(case: str) -> dict[str, str]:
    """What X-Ray shows of each document: by the span's name."""
    return {
        one["span"]["name"]: " ".join(
            flag for flag in ("fault", "error", "throttle") if one["document"][flag]
        )
        for one in exported(case)
    }


@pytest.mark.parametrize(
    ("case", "request_flags", "step_flags", "root_flags"),
    [
        ("throttled", "error", "", ""),
        ("throttled_by_429", "error throttle", "", ""),
        ("denied", "error", "", "fault"),
        ("failed", "fault", "fault", ""),
        ("unanswered", "fault", "fault", ""),
    ],
)
def test_what_aws_answers_with_4xx_is_an_error_and_everything_else_a_fault(
    case: str, request_flags: str, step_flags: str, root_flags: str
) -> None:
    assert flags(case) == {
        "DynamoDB.Query": request_flags,
        "dynamodb_poll": step_flags,
        "sse_stream": root_flags,
    }


def test_an_expected_refusal_is_neither() -> None:
    assert set(flags("ordinary").values()) == {""}


def causes(case: str, name: str) -> list[tuple[str, str, bool]]:
    """(type, message, whether with its stack) of the exceptions in a document, as X-Ray has them"""
    (document,) = (one["document"] for one in exported(case) if one["span"]["name"] == name)
    return [(e["type"], e["message"], "stack" in e) for e in document["cause"]["exceptions"]]


def test_a_chained_cause_is_named_with_its_own_stack() -> None:
    assert causes("defective", "sse_stream") == [
        ("KeyError", "'published_at'", True),
        ("ValueError", "an item cannot be read", True),
    ]
    assert causes("unanswered", "dynamodb_poll") == [
        ("TimeoutError", "read timed out", True),
        (
            "lambdas.sse_streaming.aws.errors.AwsUnavailable",
            "ReadTimeoutError: no usable answer in time",
            True,
        ),
    ]


def test_each_aws_service_is_one_node_and_this_service_another() -> None:
    documents = {one["span"]["name"]: one["document"] for one in exported("ordinary")}
    nodes = {
        name: (document["name"], document.get("namespace")) for name, document in documents.items()
    }
    for name, node in nodes.items():
        service = {"DynamoDB": "dynamodb", "CloudWatch": "monitoring"}.get(name.split(".")[0])
        assert node == ((service, "aws") if service else (name, None))
    assert all(document["type"] == "subsegment" for document in documents.values())
