"""Sizes told beforehand, against the documents that the real exporter made (49 recorded pairs)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from lambda_streaming.tracing.drafts import SpanDraft
from lambda_streaming.tracing.failures import ExceptionRecord
from lambda_streaming.tracing.size import ACCOUNT_BYTES, estimated_bytes, estimated_root_bytes
from local_aws.traces.xray import go_json
from local_aws.traces.xray.otel_attributes import plain
from tests.fakes.otlp_spans import span_from_json

PAIRS = [
    json.loads(line)
    for line in (Path(__file__).parents[3] / "data" / "xray-documents.jsonl")
    .read_text()
    .splitlines()
]
OUR_STEPS = {
    "connection_acquire",
    "connection_release",
    "dynamodb_poll",
    "sse_event_dispatch",
    "cloudwatch_put_metric",
}
ANNOTATIONS = "aws.xray.annotations"


def is_one_of_ours(span: Span) -> bool:
    """What this service sends: a failure is never a status description alone, a step has
    attributes and none of AWS, a request is a CLIENT span with `aws.service`."""
    found = plain(span.attributes)
    if span.status.code == Status.STATUS_CODE_ERROR and not span.events:
        return False
    if span.name == "sse_stream":
        return ANNOTATIONS in found
    if span.kind == Span.SPAN_KIND_CLIENT:
        return span.name == "DynamoDB.Query" and "aws.service" in found
    return span.name in OUR_STEPS and bool(found) and "aws.service" not in found


def draft_of(span: Span) -> SpanDraft:
    attributes: dict[str, Any] = plain(span.attributes)
    attributes.pop(ANNOTATIONS, None)
    chain = []
    for event in span.events:
        said = plain(event.attributes)
        chain.append(
            ExceptionRecord(
                said["exception.type"],
                said.get("exception.message", ""),
                said.get("exception.stacktrace", ""),
                "",
            )
        )
    is_request = span.kind == Span.SPAN_KIND_CLIENT
    service = attributes["aws.service"] if is_request else None
    return SpanDraft(span.name, 0, 0, attributes, tuple(chain), service=service)


OURS = [pair for pair in PAIRS if is_one_of_ours(span_from_json(pair["span"]))]


@pytest.mark.parametrize("pair", OURS, ids=[f"{p['case']}-{p['span']['spanId']}" for p in OURS])
def test_a_size_is_told_to_within_five_percent(pair: dict[str, Any]) -> None:
    span = span_from_json(pair["span"])
    draft = draft_of(span)
    if span.name == "sse_stream":
        estimate = estimated_root_bytes(draft, has_link=False)
    else:
        estimate = estimated_bytes(draft)

    # The recorded spans name an account in their resource; ours do not.
    assert estimate + ACCOUNT_BYTES == pytest.approx(pair["document_bytes"], rel=0.05)


def test_all_kinds_of_ours_are_among_them() -> None:
    assert {pair["span"]["name"] for pair in OURS} == OUR_STEPS | {"sse_stream", "DynamoDB.Query"}
    assert len(OURS) == 30


@pytest.mark.parametrize(
    "text",
    [
        "<b>&" * 100,
        "é" * 100,
        '"\\' * 100,
        "\n" * 100,
        "\ud800",
        "\u2028\u2029" * 100,
        "".join(map(chr, range(32))) * 10,
        "\x7f\u20ac\U0001f600" * 100,
    ],
)
def test_text_costs_what_gos_json_makes_of_it(text: str) -> None:
    plain_size = estimated_bytes(SpanDraft("step", 0, 0, {"text": ""}))
    size = estimated_bytes(SpanDraft("step", 0, 0, {"text": text}))

    written = go_json.encode(text.encode("utf-8", "replace").decode())
    assert size - plain_size == pytest.approx(len(written) - len('""\n'), abs=6)
