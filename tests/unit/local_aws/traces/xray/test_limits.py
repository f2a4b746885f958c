"""Each rule of what X-Ray would do, with a case that breaks it and one that does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from local_aws.traces.records import from_export
from local_aws.traces.xray import limits
from local_aws.traces.xray.limits import (
    MAX_ANNOTATIONS_PER_TRACE,
    TRACE_BUDGET_BULK_BYTES,
    TRACE_BUDGET_TRICKLED_BYTES,
)
from local_aws.traces.xray.verdicts import Evidence, Severity, Verdict
from tests.fakes.otlp_spans import (
    FUNCTION_SEGMENT_ID,
    RESOURCE,
    XRAY_TRACE_ID,
    add_event,
    make_export,
    make_span,
)

CLIENT = Span.SPAN_KIND_CLIENT


def evidence(*spans: Span) -> list[Evidence]:
    return [r.evidence() for r in from_export(make_export(*spans), received_at=0.0)]


def segment(**values: Any) -> Evidence:
    document: dict[str, Any] = {
        "id": "c" * 16,
        "name": "## handler",
        "trace_id": XRAY_TRACE_ID,
        "start_time": 0.0,
        "end_time": 1.0,
    }
    if values.get("in_progress"):
        del document["end_time"]
    return Evidence({**document, **values}, 100, 0.0)


def rules(found: Sequence[Verdict]) -> list[str]:
    return [verdict.rule for verdict in found]


def judged(span: Span) -> list[str]:
    return rules(limits.check(evidence(stream(), span)))


def stream(**values: Any) -> Span:
    return make_span("sse_stream", span_id="5" * 16, **values)


def below(name: str = "dynamodb_poll", **values: Any) -> Span:
    return make_span(name, parent_id="5" * 16, **values)


def test_an_ordinary_stream_arrives_as_it_is() -> None:
    call = {"aws.service": "dynamodb", "http.status_code": 200, "http.response.status_code": 200}
    spans = [
        stream(attributes={"session_id": "s", "aws.xray.annotations": ["session_id"]}),
        below(),
        make_span(
            "DynamoDB.Query", span_id="6" * 16, parent_id="b" * 16, attributes=call, kind=CLIENT
        ),
    ]
    assert limits.check(evidence(*spans)) == ()


@pytest.mark.parametrize(("chars", "lost"), [(65_000, False), (66_000, True)])
def test_a_document_has_at_most_64_kb(chars: int, *, lost: bool) -> None:
    assert ("document_size" in judged(below(attributes={"text": "x" * chars}))) == lost


def test_a_document_with_nan_cannot_be_encoded() -> None:
    assert judged(below(attributes={"value": math.nan})) == ["not_encodable"]
    assert judged(below(attributes={"value": 1.5})) == []


@pytest.mark.parametrize(
    ("total_bytes", "seconds_apart", "expected"),
    [
        (TRACE_BUDGET_TRICKLED_BYTES, 60, []),
        (TRACE_BUDGET_TRICKLED_BYTES + 2, 60, [Severity.LOST]),
        (TRACE_BUDGET_TRICKLED_BYTES + 2, 1, [Severity.NOTE]),
        (TRACE_BUDGET_BULK_BYTES, 1, [Severity.NOTE]),
        (TRACE_BUDGET_BULK_BYTES + 2, 1, [Severity.LOST]),
    ],
)
def test_a_trace_has_a_budget_that_shrinks_when_it_trickles(
    total_bytes: int, seconds_apart: float, expected: list[Severity]
) -> None:
    count = 10
    rest = total_bytes - (count - 1) * (total_bytes // count)
    sizes = [total_bytes // count] * (count - 1) + [rest]
    parts = [
        Evidence(
            {"id": f"{n + 1:016x}", "name": "poll", "end_time": 1.0},
            size,
            1000.0 + seconds_apart * (n == count - 1),
        )
        for n, size in enumerate(sizes)
    ]
    assert [v.severity for v in limits.check(parts)] == expected
    size = limits.sizes(parts)
    assert (size.total_bytes, size.documents) == (total_bytes, count)


@pytest.mark.parametrize(("extra", "lost"), [(0, False), (1, True)])
def test_a_trace_has_at_most_50_annotations(extra: int, *, lost: bool) -> None:
    half = {f"a{n}": n for n in range(MAX_ANNOTATIONS_PER_TRACE // 2)}
    more = {f"b{n}": n for n in range(MAX_ANNOTATIONS_PER_TRACE // 2 + extra)}
    found = limits.check([segment(annotations=half), segment(id="d" * 16, annotations=more)])
    assert rules(found) == (["annotation_count"] if lost else [])


@pytest.mark.parametrize(
    ("annotations", "lost"),
    [
        ({"k" * 500: "v" * 1000}, False),
        ({"k" * 501: "v"}, True),
        ({"k": "v" * 1001}, True),
    ],
)
def test_annotations_have_a_length(annotations: dict[str, str], *, lost: bool) -> None:
    found = limits.check([segment(annotations=annotations)])
    assert rules(found) == (["annotation_length"] if lost else [])


def test_an_sdk_annotation_key_with_odd_characters_is_dropped() -> None:
    assert rules(limits.check([segment(annotations={"a-b": 1})])) == ["annotation_key"]
    assert rules(limits.check([segment(annotations={"a_b": 1})])) == []


def test_a_span_annotation_key_with_odd_characters_is_altered() -> None:
    odd = {"a b": 1, "aws.xray.annotations": ["a b"]}
    good = {"a_b": 1, "aws.xray.annotations": ["a_b"]}
    assert judged(below(attributes=odd)) == ["key_altered"]
    assert judged(below(attributes=good)) == []


def test_a_list_named_as_an_annotation_is_lost() -> None:
    named = {"tickers": ["A", "B"], "aws.xray.annotations": ["tickers"]}
    assert judged(below(attributes=named)) == ["annotation_not_scalar"]
    assert judged(below(attributes={"tickers": ["A", "B"]})) == []


def test_an_annotation_named_but_absent_is_nothing() -> None:
    assert judged(below(attributes={"aws.xray.annotations": ["absent"]})) == []


def test_odd_characters_in_a_name_are_deleted() -> None:
    assert judged(below("poll(1)")) == ["name_altered"]
    assert judged(below("poll: 1/2")) == []


def test_a_name_of_an_internal_span_gives_way_to_aws_attributes() -> None:
    assert judged(below(attributes={"aws.service": "dynamodb"})) == ["name_replaced"]
    assert (
        judged(below("DynamoDB.Query", attributes={"aws.service": "dynamodb"}, kind=CLIENT)) == []
    )


def test_events_but_exceptions_are_lost() -> None:
    span = below()
    add_event(span, "exception", {"exception.type": "ValueError"})
    assert judged(span) == []
    add_event(span, "progress", {})
    add_event(span, "progress", {})
    assert judged(span) == ["event_dropped"]


@pytest.mark.parametrize(
    "span",
    [
        below(kind=Span.SPAN_KIND_SERVER),
        make_span(parent_id=""),
        below(attributes={"aws.span.kind": "LOCAL_ROOT"}),
    ],
    ids=["server", "no parent", "local root"],
)
def test_some_spans_become_segments(span: Span) -> None:
    assert "becomes_segment" in judged(span)


def test_a_status_code_needs_the_old_key() -> None:
    assert judged(below(attributes={"http.response.status_code": 429})) == ["status_code_key"]
    both = {"http.response.status_code": 429, "http.status_code": 429}
    assert judged(below(attributes=both)) == []


@pytest.mark.parametrize("provider", ["gcp", "azure"])
def test_another_cloud_provider_loses_the_aws_attributes(provider: str) -> None:
    call = below("DynamoDB.Query", attributes={"aws.operation": "Query"}, kind=CLIENT)
    resource = {**RESOURCE, "cloud.provider": provider}
    export = make_export(stream(), call, below(span_id="7" * 16), resource=resource)
    records = from_export(export, received_at=0.0)
    (found,) = limits.check([r.evidence() for r in records])
    assert (found.rule, found.span_name) == ("aws_block_dropped", "DynamoDB.Query")
    assert judged(call) == []


def test_a_parent_that_nobody_sends_leaves_a_span_pending() -> None:
    found = limits.check(evidence(stream(), make_span(parent_id="9" * 16)))
    assert rules(found) == ["missing_parent"]
    assert found[0].span_name == "dynamodb_poll"
    assert "9" * 16 in found[0].what


def test_a_parent_may_still_come_while_the_invocation_runs() -> None:
    running = segment(id=FUNCTION_SEGMENT_ID, origin="AWS::Lambda::Function", in_progress=True)
    ended = segment(id=FUNCTION_SEGMENT_ID, origin="AWS::Lambda::Function", end_time=2.0)
    early = evidence(below())
    assert [v.severity for v in limits.check([running, *early])] == [Severity.NOTE]
    assert [v.severity for v in limits.check([ended, *early])] == [Severity.LOST]


def invocation(route: str = "GET /stream", *, status: int = 200, ended: bool) -> list[Evidence]:
    """The segments of Lambda and of the handler phase."""
    times: dict[str, Any] = {"end_time": 2.0} if ended else {"in_progress": True}
    answered = {"http": {"response": {"status": status}}} if ended else {}
    function = {"id": FUNCTION_SEGMENT_ID, "origin": "AWS::Lambda::Function", **times}
    return [
        segment(id="e" * 16, origin="AWS::Lambda", **times, **answered),
        segment(**function, parent_id="e" * 16),
        segment(type="subsegment", parent_id=FUNCTION_SEGMENT_ID, annotations={"route": route}),
    ]


@pytest.mark.parametrize(
    ("spans", "ended", "expected"),
    [
        ([], True, [(Severity.LOST, "none of its spans came")]),
        ([below()], True, [(Severity.LOST, "its root span never came")]),
        ([], False, [(Severity.NOTE, "none of the streaming phase's spans has come yet")]),
        ([below()], False, []),
        ([stream()], True, []),
    ],
    ids=["nothing came", "the beginning came", "nothing yet", "the beginning so far", "all came"],
)
def test_a_stream_without_its_spans_misses_a_phase(
    spans: list[Span], *, ended: bool, expected: list[tuple[Severity, str]]
) -> None:
    found = list(limits.missing_phase([*invocation(ended=ended), *evidence(*spans)]))
    assert len(found) == len(expected)
    for verdict, (severity, words) in zip(found, expected, strict=True):
        assert verdict.severity is severity
        assert words in verdict.what


def test_one_parent_that_many_wait_for_is_told_once() -> None:
    """Of a stream that is open the root comes last."""
    waiting = [make_span(parent_id="9" * 16, span_id=f"{n}" * 16) for n in range(1, 5)]
    (found,) = (one for one in limits.check(evidence(stream(), *waiting)))

    assert found.rule == "missing_parent"
    assert found.what.endswith("; 3 more wait for it")


@pytest.mark.parametrize(
    ("route", "status"), [("GET /stream/status", 200), ("GET /stream", 400), ("GET /health", 200)]
)
def test_an_answer_that_is_no_stream_misses_nothing(route: str, status: int) -> None:
    assert limits.check(invocation(route, status=status, ended=True)) == ()


def test_a_saved_filters_stream_has_a_streaming_phase_too() -> None:
    saved = invocation("GET /configurations/{config_id}/stream", ended=True)
    assert rules(limits.check(saved)) == ["missing_phase"]


def test_lambda_itself_sends_the_parent_of_both_phases() -> None:
    handler = segment(parent_id=FUNCTION_SEGMENT_ID, type="subsegment")
    assert limits.check([handler, *evidence(stream())]) == ()


def test_a_wrong_parent_shows_once_lambdas_own_segment_is_here() -> None:
    function = segment(id="e" * 16, name="sse-streaming", origin="AWS::Lambda::Function")
    assert rules(limits.check([function, *evidence(stream())])) == ["missing_parent"]


def test_the_worst_comes_first_and_every_verdict_says_why_and_where_from() -> None:
    span = below("poll(1)", attributes={"text": "x" * 70_000, "http.response.status_code": 200})
    found = limits.check(evidence(stream(), span))
    assert [v.severity for v in found] == [Severity.LOST, Severity.ALTERED, Severity.MISLEADING]
    for verdict in found:
        shown = verdict.as_json()
        assert shown["why"]
        assert shown["source"].startswith("https://")
        assert shown["span_id"] == "b" * 16
