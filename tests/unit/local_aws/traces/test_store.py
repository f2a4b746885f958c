from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from local_aws.traces.store import TraceStore
from tests.fakes.otlp_spans import (
    FUNCTION_SEGMENT_ID,
    START,
    TRACE_ID,
    XRAY_TRACE_ID,
    make_export,
    make_span,
)

ANNOTATED = ["session_id", "connection_sequence", "previous_trace_id", "end_reason"]


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> TraceStore:
    return TraceStore(clock=clock)


def document(**values: Any) -> dict[str, Any]:
    return {
        "trace_id": XRAY_TRACE_ID,
        "id": FUNCTION_SEGMENT_ID,
        "name": "sse-streaming",
        "start_time": START,
        "end_time": START + 2,
        **values,
    }


def known(store: TraceStore, trace_id: str = XRAY_TRACE_ID) -> dict[str, Any]:
    trace = store.trace(trace_id)
    assert trace is not None
    return trace


def connection(n: int, **attributes: Any) -> dict[str, Any]:
    values = {"session_id": "s1", "connection_sequence": n, **attributes}
    return {**values, "aws.xray.annotations": [k for k in ANNOTATED if k in values]}


def trace_number(n: int) -> str:
    return f"6afd86c0{n:024x}"


def test_both_phases_meet_under_one_trace_id(store: TraceStore) -> None:
    store.add_segment(document())
    store.add_otel(make_export(make_span("sse_stream", start=0.5, seconds=1.5)))
    trace = known(store)
    assert [(r["source"], r["name"]) for r in trace["records"]] == [
        ("xray", "sse-streaming"),
        ("otel", "sse_stream"),
    ]
    assert trace["records"][1]["parent_id"] == trace["records"][0]["id"]
    assert trace["counts"] == {"xray": 1, "otel": 1}


def test_a_trace_is_found_by_either_form_of_its_id(store: TraceStore) -> None:
    store.add_otel(make_export(make_span()))
    assert known(store, TRACE_ID) == known(store, XRAY_TRACE_ID) == known(store, TRACE_ID.upper())
    assert known(store, TRACE_ID)["trace_id"] == XRAY_TRACE_ID
    assert store.trace("1-00000000-000000000000000000000000") is None
    assert store.trace("nonsense") is None


def test_an_otel_record_keeps_its_name_and_shows_xrays(store: TraceStore) -> None:
    attributes = {"aws.service": "dynamodb", "aws.operation": "Query", "item_count": 3}
    store.add_otel(
        make_export(make_span("DynamoDB.Query", attributes=attributes, kind=Span.SPAN_KIND_CLIENT))
    )
    (record,) = known(store)["records"]
    assert (record["name"], record["xray_name"], record["kind"]) == (
        "DynamoDB.Query",
        "dynamodb",
        "CLIENT",
    )
    assert record["attributes"] == attributes
    assert record["metadata"] == {"default": {"aws.service": "dynamodb", "item_count": 3}}
    assert record["start"] == pytest.approx(START)
    assert record["end"] == pytest.approx(START + 0.01)
    assert (record["fault"], record["error"]) == (False, False)


def test_the_flags_are_those_of_the_document(store: TraceStore) -> None:
    store.add_otel(make_export(make_span(is_error=True, message="broken")))
    store.add_segment(document(error=True, throttle=True))
    trace = known(store)
    assert trace["has_fault"]
    assert trace["has_error"]
    faulty = next(r for r in trace["records"] if r["fault"])
    assert faulty["cause"]["exceptions"][0]["message"] == "broken"


@pytest.mark.parametrize(
    ("is_fault", "flags"), [(False, (False, True)), (True, (True, False))], ids=["error", "fault"]
)
def test_a_step_that_names_its_error_type_failed(
    store: TraceStore, *, is_fault: bool, flags: tuple[bool, bool]
) -> None:
    """A throttled poll is no fault to X-Ray, and has no request below it once it is rolled up."""
    attributes = {"error_type": "ThrottlingException", "rolled_up": True, "count": 31}
    store.add_otel(make_export(make_span(attributes=attributes, is_error=is_fault)))
    (summary,) = store.traces()
    assert (summary["has_fault"], summary["has_error"]) == flags
    assert known(store)["records"][0]["error"] is False


def test_embedded_subsegments_are_records_of_their_own(store: TraceStore) -> None:
    inner = {"id": "c" * 16, "name": "dynamodb", "start_time": START, "end_time": START + 1}
    outer = {**inner, "id": "b" * 16, "name": "## handler", "subsegments": [inner]}
    store.add_segment(document(subsegments=[outer]))
    parents = {r["name"]: r["parent_id"] for r in known(store)["records"]}
    assert parents == {
        "sse-streaming": None,
        "## handler": FUNCTION_SEGMENT_ID,
        "dynamodb": "b" * 16,
    }


@pytest.mark.parametrize("field", ["trace_id", "id", "name", "start_time"])
def test_a_document_without_a_required_field_is_refused(store: TraceStore, field: str) -> None:
    incomplete = document()
    del incomplete[field]
    with pytest.raises(ValueError, match=field):
        store.add_segment(incomplete)
    assert store.traces() == []


def test_a_segment_in_progress_is_replaced_when_it_ends(store: TraceStore) -> None:
    begun = document(in_progress=True)
    del begun["end_time"]
    store.add_segment(begun)
    assert known(store)["in_progress"]
    assert known(store)["records"][0]["end"] is None
    store.add_segment(document())
    assert not known(store)["in_progress"]
    assert store.resends == {}


def test_a_trace_says_when_it_was_read(store: TraceStore, clock: Clock) -> None:
    store.add_segment(document())
    clock.now += 7
    assert known(store)["read_at"] == START + 7


def test_a_span_sent_again_replaces_the_first_and_is_counted(store: TraceStore) -> None:
    store.add_otel(make_export(make_span(seconds=1)))
    store.add_otel(make_export(make_span(seconds=2)))
    (record,) = known(store)["records"]
    assert record["end"] - record["start"] == pytest.approx(2)
    assert store.resends == {"b" * 16: 1}


def test_batches_are_kept_with_their_time_and_size(store: TraceStore, clock: Clock) -> None:
    store.add_otel(make_export(make_span(), make_span(span_id="c" * 16)), size_bytes=321)
    clock.now += 5
    store.add_segment(document())
    assert [(b.source, b.records, b.received_at - START) for b in store.batches] == [
        ("otel", 2, 0.0),
        ("xray", 1, 5.0),
    ]
    assert store.batches[0].size_bytes == 321
    assert store.batches[0].trace_ids == {XRAY_TRACE_ID}
    assert known(store)["size"]["arrived_over_seconds"] == 5.0


def test_newest_traces_come_first(store: TraceStore) -> None:
    for n, start in ((1, 10.0), (2, 30.0), (3, 20.0)):
        store.add_otel(make_export(make_span(trace_id=trace_number(n), start=start)))
    assert [t["start"] - START for t in store.traces()] == pytest.approx([30, 20, 10])
    assert len(store.traces(limit=2)) == 2


def test_the_oldest_trace_leaves_when_a_new_one_does_not_fit(clock: Clock) -> None:
    store = TraceStore(clock=clock, max_traces=2)
    for n in (1, 2, 3):
        store.add_otel(make_export(make_span(trace_id=trace_number(n))))
    assert store.trace(trace_number(1)) is None
    assert len(store.traces()) == 2


def test_a_trace_has_a_bounded_number_of_records(clock: Clock) -> None:
    store = TraceStore(clock=clock, max_records_per_trace=2)
    store.add_otel(make_export(*(make_span(span_id=f"{n:016x}") for n in range(1, 6))))
    assert len(known(store)["records"]) == 2
    assert known(store)["records_dropped"] == 3


def test_a_summary_says_what_the_stream_says_of_itself(store: TraceStore) -> None:
    url = {"request": {"method": "GET", "url": "http://127.0.0.1:8080/stream?sentiment=positive"}}
    store.add_segment(document(http=url))
    attributes = connection(2, end_reason="rotate")
    store.add_otel(make_export(make_span("sse_stream", seconds=3, attributes=attributes)))
    (summary,) = store.traces()
    assert summary["name"] == "sse-streaming"
    assert summary["route"] == "GET /stream"
    assert summary["session_id"] == "s1"
    assert summary["connection_sequence"] == 2
    assert summary["end_reason"] == "rotate"
    assert summary["connection_id"] is None
    assert summary["duration"] == pytest.approx(3)


def test_a_summary_says_what_the_client_got_and_not_what_aws_answered(store: TraceStore) -> None:
    asked = {"id": "c" * 16, "name": "dynamodb", "start_time": START, "end_time": START + 1}
    store.add_segment(document(subsegments=[{**asked, "http": {"response": {"status": 200}}}]))
    assert store.traces()[0]["status"] is None
    answered = {"http": {"response": {"status": 404}}}
    store.add_segment(document(id="e" * 16, origin="AWS::Lambda", **answered))
    assert store.traces()[0]["status"] == 404


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        (("session_id", "s1"), 1),
        (("connection_sequence", "1"), 1),
        (("is_cold_start", "true"), 1),
        (("session_id", "s"), 0),
        (("absent", "s1"), 0),
    ],
)
def test_traces_are_found_by_annotation(
    store: TraceStore, sought: tuple[str, str], found: int
) -> None:
    values = connection(1) | {"is_cold_start": True}
    values["aws.xray.annotations"] = [*values["aws.xray.annotations"], "is_cold_start"]
    store.add_otel(make_export(make_span(attributes=values)))
    store.add_otel(make_export(make_span(trace_id=trace_number(9))))
    assert len(store.traces(annotation=sought)) == found


def test_traces_of_one_session_lead_to_each_other(store: TraceStore) -> None:
    ids = {n: f"1-6afd86c0-{n:024x}" for n in (1, 2, 3)}
    for n in (1, 2, 3):
        before = {"previous_trace_id": ids[n - 1]} if n > 1 else {}
        span = make_span("sse_stream", trace_id=trace_number(n), attributes=connection(n, **before))
        store.add_otel(make_export(span))
    links = known(store, ids[2])["links"]
    assert links["previous"] == {"trace_id": ids[1], "held": True}
    assert links["next"] == {"trace_id": ids[3], "held": True}
    assert known(store, ids[1])["links"]["previous"] is None
    assert known(store, ids[3])["links"]["next"] is None


def test_a_previous_trace_that_has_left_is_named_but_not_held(store: TraceStore) -> None:
    gone = f"1-6afd86c0-{7:024x}"
    store.add_otel(make_export(make_span(attributes=connection(2, previous_trace_id=gone))))
    assert known(store)["links"]["previous"] == {"trace_id": gone, "held": False}


def test_a_span_link_is_shown(store: TraceStore) -> None:
    span = make_span()
    span.links.add(trace_id=bytes.fromhex(trace_number(1)), span_id=bytes.fromhex("d" * 16))
    store.add_otel(make_export(span))
    expected = [{"trace_id": f"1-6afd86c0-{1:024x}", "id": "d" * 16}]
    assert known(store)["links"]["spans"] == expected
    assert known(store)["records"][0]["links"] == expected


def test_verdicts_come_with_the_trace(store: TraceStore) -> None:
    store.add_otel(make_export(make_span("poll(1)")))
    assert "name_altered" in [v["rule"] for v in known(store)["verdicts"]]


def test_a_trace_is_json_even_with_numbers_that_json_lacks(store: TraceStore) -> None:
    store.add_otel(make_export(make_span(attributes={"value": float("nan"), "list": [1.0]})))
    trace = known(store)
    json.dumps(trace, allow_nan=False)
    assert trace["records"][0]["document_bytes"] is None


def test_bytes_in_an_attribute_are_json_too(store: TraceStore) -> None:
    store.add_otel(make_export(make_span(attributes={"raw": b"\x00\xff"})))
    json.dumps(known(store))


def test_clear_forgets_everything(store: TraceStore) -> None:
    store.add_otel(make_export(make_span()))
    store.add_otel(make_export(make_span()))
    store.clear()
    assert (store.traces(), store.batches, store.resends) == ([], [], {})


def test_many_threads_may_write_while_others_read(store: TraceStore) -> None:
    def write(first: int) -> None:
        for n in range(first, first + 50):
            store.add_otel(make_export(make_span(span_id=f"{n:016x}")))
            known(store)

    threads = [threading.Thread(target=write, args=(1 + 50 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(known(store)["records"]) == 200
