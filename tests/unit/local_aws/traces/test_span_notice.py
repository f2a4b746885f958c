from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws.lambda_side.invocation import Invocation, Outcome
from local_aws.lambda_side.lambda_segments import lambda_segments
from local_aws.traces.span_notice import SpanNotice
from local_aws.traces.store import TraceStore
from local_aws.traces.trace_header import start_trace
from tests.fakes.otlp_spans import START, make_export, make_span

NOT_TAKEN = "the collector did not take the spans: 14 kept for one more try, 0 lost"
LOG = [
    json.dumps({"level": "INFO", "message": "the collector is mentioned by an older line"}),
    json.dumps({"level": "WARNING", "message": NOT_TAKEN}),
    "the collector in a line that is not JSON",
]


class Ended:
    """Streams that have ended, one after the other, and what was said."""

    def __init__(self, **passed_on: str) -> None:
        self.said: list[str] = []
        self._store = TraceStore()
        self._notice = SpanNotice(
            self._store,
            self.said.append,
            configured=passed_on,
            passed_on=passed_on,
            collector_url="http://127.0.0.1:4321",
        )

    def stream(
        self,
        *,
        with_spans: bool = False,
        sampled: bool = True,
        route: str = "GET /stream",
        log: list[str] | None = None,
    ) -> str:
        trace = start_trace(None, sampled_by_default=sampled, clock=lambda: START)
        invocation = Invocation(
            request_id="r",
            event=b"{}",
            trace=trace,
            function_arn="a",
            outcome=Outcome.ANSWERED,
            received_at=START,
            finished_at=START + 2,
        )
        handler: dict[str, Any] = {
            "id": "9" * 16,
            "trace_id": trace.root,
            "parent_id": trace.function_id,
            "type": "subsegment",
            "name": "## handler",
            "start_time": START,
            "end_time": START + 1,
            "annotations": {"route": route},
        }
        for document in (*lambda_segments(invocation), handler):
            self._store.add_segment(document)
        if with_spans:
            trace_id = trace.root.removeprefix("1-").replace("-", "")
            root = make_span("sse_stream", trace_id=trace_id, parent_id=trace.function_id)
            self._store.add_otel(make_export(root))
        self._notice.answered(trace, LOG if log is None else log)
        return trace.root


def test_it_is_said_once_with_the_functions_own_words() -> None:
    ended = Ended()
    first = ended.stream()
    ended.stream()

    (said,) = ended.said
    assert first in said
    assert "the collector at 127.0.0.1:4321 does not take the function's spans" in said
    assert NOT_TAKEN in said


def test_it_is_said_again_after_spans_have_come_in_between() -> None:
    ended = Ended()
    ended.stream()
    ended.stream(route="GET /health")
    ended.stream()
    assert len(ended.said) == 1

    ended.stream(with_spans=True)
    ended.stream()
    assert len(ended.said) == 2


@pytest.mark.parametrize(
    "stream",
    [
        {"with_spans": True},
        {"sampled": False},
        {"route": "GET /health"},
    ],
    ids=["its spans came", "not sampled", "no stream"],
)
def test_nothing_is_said_where_nothing_is_missing_by_the_collectors_fault(
    stream: dict[str, Any],
) -> None:
    ended = Ended()
    ended.stream(**stream)
    assert ended.said == []


@pytest.mark.parametrize(
    ("passed_on", "reason"),
    [
        ({}, "LOCAL_LOG=1 shows what the function writes"),
        ({"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED is true"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:secret@localhost:4318/?key=secret"},
            "the function sends its spans to localhost:4318 (OTEL_EXPORTER_OTLP_ENDPOINT)",
        ),
    ],
    ids=["nothing is known", "the kill switch", "another collector"],
)
def test_without_the_functions_words_it_says_what_the_settings_say(
    passed_on: dict[str, str], reason: str
) -> None:
    ended = Ended(**passed_on)
    ended.stream(log=[])

    (said,) = ended.said
    assert reason in said
    assert "secret" not in said
