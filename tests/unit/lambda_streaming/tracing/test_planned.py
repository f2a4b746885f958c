"""The upper bound of a document's size, against documents that the real exporter made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from lambda_streaming.tracing.budget.planned import PlannedSpan, Stacks, plan_step
from lambda_streaming.tracing.budget.policy import ROOT_EXTRA_BYTES
from lambda_streaming.tracing.failures import ExceptionRecord, Failure
from lambda_streaming.tracing.step import Step
from local_aws.traces.xray import go_json
from local_aws.traces.xray.otel_attributes import plain
from tests.fakes.aws_requests import aws_request
from tests.fakes.otlp_spans import span_from_json

PAIRS = [
    json.loads(line)
    for line in (Path(__file__).parents[3] / "data" / "xray-documents.jsonl")
    .read_text()
    .splitlines()
]
ACCOUNT_BYTES = len(',"account_id":"123456789012"')
"""The recorded spans name an account in their resource; ours do not."""


def is_one_of_ours(span: Span) -> bool:
    """A step has attributes and none of AWS, a request is a CLIENT span with `aws.service`, and a
    failure is never a status description alone."""
    found = plain(span.attributes)
    if span.links:  # only the root's, for which the budget has room
        return False
    if (span.status.code == Status.STATUS_CODE_ERROR and not span.events) or not found:
        return False
    if span.kind == Span.SPAN_KIND_CLIENT:
        return span.name == "DynamoDB.Query" and "aws.service" in found
    return span.kind == Span.SPAN_KIND_INTERNAL and not {"aws.service", "rpc.service"} & set(found)


def planned(span: Span) -> PlannedSpan:
    attributes: dict[str, Any] = plain(span.attributes)
    attributes.pop("aws.xray.annotations", None)
    said = [plain(event.attributes) for event in span.events]
    chain = tuple(
        ExceptionRecord(
            one["exception.type"],
            one.get("exception.message", ""),
            one.get("exception.stacktrace", ""),
            "",
        )
        for one in said
        if "exception.type" in one
    )
    is_request = span.kind == Span.SPAN_KIND_CLIENT
    return PlannedSpan(span.name, 0, 0, attributes, chain, is_request=is_request)


OURS = [pair for pair in PAIRS if is_one_of_ours(span_from_json(pair["span"]))]


@pytest.mark.parametrize("pair", OURS, ids=[f"{p['case']}-{p['span']['spanId']}" for p in OURS])
def test_no_document_is_larger_than_its_bound(pair: dict[str, Any]) -> None:
    span = span_from_json(pair["span"])
    room_of_the_root = ROOT_EXTRA_BYTES if span.name == "sse_stream" else 0
    bound = planned(span).max_bytes + room_of_the_root
    document_bytes = pair["document_bytes"] - ACCOUNT_BYTES

    assert document_bytes <= bound


def test_steps_requests_failures_and_the_root_are_among_them() -> None:
    names = {pair["span"]["name"] for pair in OURS}
    assert {"dynamodb_poll", "sse_event_dispatch", "sse_stream", "DynamoDB.Query"} <= names
    assert any(planned(span_from_json(pair["span"])).chain for pair in OURS)


@pytest.mark.parametrize(
    "text",
    [
        "<b>&" * 100,
        "é" * 100,
        '"\\' * 100,
        "\n" * 100,
        "\ud800",
        "\u2028\u2029\ufffd" * 100,
        "".join(map(chr, range(32))) * 10,
        "\x7f\u20ac\U0001f600" * 100,
    ],
)
def test_no_text_is_larger_than_its_bound(text: str) -> None:
    def bound(text: str) -> int:
        return PlannedSpan("step", 0, 0, {"text": text}).max_bytes

    written = go_json.encode(text.encode("utf-8", "replace").decode())
    assert len(written) - len('""\n') <= bound(text) - bound("")


@pytest.mark.parametrize("value", [1e16, 123456789012345680.0, 1e-5, 0.00001234, 5e-324, 1e300])
def test_no_number_is_larger_than_its_bound(value: float) -> None:
    """Go writes numbers below 1e21 and above 1e-6 without an exponent."""
    bound = PlannedSpan("step", 0, 0, {"n": value}).max_bytes
    assert bound - PlannedSpan("step", 0, 0, {"n": 1}).max_bytes + 1 >= 24


# Saying less


def failed_step(*, requests: int = 3) -> Step:
    record = ExceptionRecord(
        "ValueError", "m" * 500, '  File "a.py", line 1, in f\n' * 30, "a.py:1"
    )
    return Step(
        "dynamodb_poll",
        0,
        {"sentiment_type": "positive", "item_count": 0},
        requests=[aws_request(0, 4_000_000) for _ in range(requests)],
        failure=Failure((record, record), "ValueError", is_fault=True),
    )


def test_a_span_says_less_until_it_fits() -> None:
    full = plan_step(failed_step(), Stacks())
    sizes = list(range(full.max_bytes, 300, -20))
    said = [full.within(size) for size in sizes]

    assert said[0] == full
    for size, span in zip(sizes, said, strict=True):
        if span is not None:
            assert span.max_bytes <= size
            assert span.span_count + span.folded_requests == 4
            assert span.chain, "an error shows by its cause"
    kept = [span for span in said if span is not None]
    assert kept[-1].attributes == {}
    assert said[-1] is None


def test_stacks_go_first_then_requests_are_counted() -> None:
    full = plan_step(failed_step(), Stacks())

    without_stacks = full.within(full.max_bytes - 1)
    assert without_stacks is not None
    assert [one.stack for one in without_stacks.chain] == ["", ""]
    assert len(without_stacks.children) == 3

    counted = full.within(without_stacks.max_bytes - 1)
    assert counted is not None
    assert (counted.children, counted.folded_requests) == ((), 3)
    assert counted.attributes["request_ms_sum"] == 12.0


# Stacks


def test_a_stack_is_sent_once_per_type_and_place() -> None:
    stacks = Stacks()

    def is_sent(error_type: str, place: str) -> bool:
        (record,) = stacks.unsent((ExceptionRecord(error_type, "m", "Traceback", place),))
        stacks.sent(PlannedSpan("step", 0, 0, {}, (record,)))
        return bool(record.stack)

    assert is_sent("ValueError", "a.py:1")
    assert not is_sent("ValueError", "a.py:1")
    assert is_sent("ValueError", "a.py:2")
    assert is_sent("KeyError", "a.py:1")
    assert sum(is_sent("ValueError", f"b.py:{n}") for n in range(10_000)) == 97, "bounded"
