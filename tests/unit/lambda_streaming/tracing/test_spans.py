"""What one stream's trace consists of: names, kinds, parents, attributes, failures, roll-ups."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from opentelemetry import trace as api
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from lambda_streaming.tracing.budget.policy import FIRST_PLACES, OTHER_PLACES
from lambda_streaming.tracing.budget.rollup import WINDOW_NS
from lambda_streaming.tracing.export.one_try import Outcome
from lambda_streaming.tracing.header import parse_trace_header
from lambda_streaming.tracing.step import Keep, Step, Trace
from lambdas.sse_streaming.aws.errors import AwsRefused, AwsThrottled, AwsUnavailable
from tests.fakes.aws_requests import aws_request
from tests.fakes.spans import (
    PARENT_ID,
    ROOT,
    SAMPLED,
    TRACE_ID,
    MemoryExporter,
    TracingWorld,
    begin,
    end,
    facts,
    finish,
)
from tests.fakes.streams import make_settings

PREVIOUS = ("5759e988" + "a" * 24, "b" * 16)


@pytest.fixture
def world() -> TracingWorld:
    return TracingWorld()


def named(spans: list[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


def only(spans: list[ReadableSpan], name: str) -> ReadableSpan:
    (span,) = named(spans, name)
    return span


def attributes(span: ReadableSpan) -> Mapping[str, Any]:
    return dict(span.attributes or {})


def exceptions(span: ReadableSpan) -> list[Mapping[str, Any]]:
    assert all(event.name == "exception" for event in span.events)
    return [dict(event.attributes or {}) for event in span.events]


def span_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def request(step: Step, world: TracingWorld, *, ms: float = 4, **changes: Any) -> None:
    """One AWS request of a step."""
    started_ns = world.clock.now_ns
    world.clock.pass_ms(ms)
    step.add_request(aws_request(started_ns, world.clock.now_ns, **changes))


def dispatched(
    trace: Trace, started_ns: int, event_type: str, latency_ms: float | None, *, is_cold_start: bool
) -> None:
    more = {} if latency_ms is None else {"latency_ms": latency_ms}
    trace.record(
        "sse_event_dispatch",
        started_ns,
        event_type=event_type,
        is_cold_start=is_cold_start,
        **more,
    )


def poll(
    trace: Trace, world: TracingWorld, *, ms: float = 5, error: BaseException | None = None
) -> None:
    step = begin(trace, "dynamodb_poll", sentiment_type="positive", item_count=2)
    request(step, world, ms=ms)
    finish(step, error)


# Shape


def test_the_root_hangs_under_the_function_and_everything_else_under_the_root(
    world: TracingWorld,
) -> None:
    trace = world.start()
    poll(trace, world)
    dispatched(trace, world.clock.now_ns, "sentiment", 12.0, is_cold_start=False)
    end(trace)

    spans = world.flushed()
    root, cycle = only(spans, "sse_stream"), only(spans, "dynamodb_poll")
    dispatch, call = only(spans, "sse_event_dispatch"), only(spans, "DynamoDB.Query")

    assert {f"{span.context.trace_id:032x}" for span in spans if span.context} == {TRACE_ID}
    assert [span.parent and span.parent.span_id for span in (root, cycle, dispatch, call)] == [
        int(PARENT_ID, 16),
        span_id(root),
        span_id(root),
        span_id(cycle),
    ]
    assert [span.kind for span in (root, cycle, dispatch, call)] == [
        SpanKind.INTERNAL,
        SpanKind.INTERNAL,
        SpanKind.INTERNAL,
        SpanKind.CLIENT,
    ]


def test_a_stream_tells_its_ids_before_it_ends(world: TracingWorld) -> None:
    trace = world.start()
    end(trace)

    assert trace.trace_id == ROOT
    assert trace.span_id == f"{span_id(only(world.flushed(), 'sse_stream')):016x}"


def test_the_root_says_what_the_stream_was(world: TracingWorld) -> None:
    trace = world.start(link_to=PREVIOUS)
    end(trace, attributes=facts(previous_trace_id=f"1-5759e988-{'a' * 24}"))

    assert attributes(only(world.flushed(), "sse_stream")) == {
        "connection_id": "7.abc",
        "session_id": "0" * 18,
        "connection_sequence": 3,
        "previous_trace_id": f"1-5759e988-{'a' * 24}",
        "events_yielded": 5,
        "bytes_sent": 700,
        "polls": 9,
        "stream_ms": 1234.568,
        "end_reason": "rotate",
        "spans_rolled_up": 0,
        "spans_lost": 0,
        "is_cold_start": True,
        "aws.xray.annotations": (
            "connection_id",
            "session_id",
            "connection_sequence",
            "previous_trace_id",
            "end_reason",
            "is_cold_start",
        ),
    }


def test_the_root_may_say_something_from_its_beginning(world: TracingWorld) -> None:
    header = parse_trace_header(SAMPLED)
    trace = world.tracing.start("asgi_request", header, route="/chat", status=200)
    trace.end({"status": 500}, annotations=["route"])

    (root,) = world.flushed()
    said = attributes(root)
    assert (said["route"], said["status"]) == ("/chat", 500)
    assert said["aws.xray.annotations"] == ("route",)


def test_the_root_annotates_only_what_it_has(world: TracingWorld) -> None:
    trace = world.start()
    without_connection = facts()
    del without_connection["connection_id"]
    end(trace, attributes=without_connection)

    root = attributes(only(world.flushed(), "sse_stream"))
    assert "connection_id" not in root
    assert set(root["aws.xray.annotations"]) <= set(root)


def test_only_the_root_is_annotated(world: TracingWorld) -> None:
    """X-Ray takes 50 annotations a trace."""
    trace = world.start()
    poll(trace, world)
    end(trace)

    annotated = [span for span in world.flushed() if "aws.xray.annotations" in attributes(span)]
    assert [span.name for span in annotated] == ["sse_stream"]


def test_the_previous_connections_stream_is_linked(world: TracingWorld) -> None:
    trace = world.start(link_to=PREVIOUS)
    end(trace)

    (link,) = only(world.flushed(), "sse_stream").links
    assert f"{link.context.trace_id:032x}" == PREVIOUS[0]
    assert f"{link.context.span_id:016x}" == PREVIOUS[1]


def test_a_first_connection_links_nothing(world: TracingWorld) -> None:
    trace = world.start()
    end(trace)

    assert not only(world.flushed(), "sse_stream").links


def test_times_are_the_steps_own(world: TracingWorld) -> None:
    trace = world.start()
    world.clock.pass_ms(10)
    poll(trace, world, ms=7)
    end(trace)

    spans = world.flushed()
    cycle, root = only(spans, "dynamodb_poll"), only(spans, "sse_stream")
    assert cycle.start_time is not None
    assert cycle.end_time is not None
    assert root.start_time is not None
    assert cycle.start_time - root.start_time == 10_000_000
    assert cycle.end_time - cycle.start_time == 7_000_000


def test_a_dispatch_says_what_was_sent_and_how_late(world: TracingWorld) -> None:
    trace = world.start()
    started_ns = world.clock.now_ns
    world.clock.pass_ms(3)
    dispatched(trace, started_ns, "sentiment", 12.0, is_cold_start=True)
    dispatched(trace, world.clock.now_ns, "ready", None, is_cold_start=True)
    end(trace)

    item, ready = named(world.flushed(), "sse_event_dispatch")
    assert attributes(item) == {
        "event_type": "sentiment",
        "latency_ms": 12.0,
        "is_cold_start": True,
    }
    assert attributes(ready) == {"event_type": "ready", "is_cold_start": True}
    assert item.start_time == started_ns


# AWS requests


def test_a_request_carries_what_xray_reads(world: TracingWorld) -> None:
    trace = world.start()
    poll(trace, world)
    end(trace)

    spans = world.flushed()
    assert attributes(only(spans, "DynamoDB.Query")) == {
        "rpc.system": "aws-api",
        "aws.service": "dynamodb",
        "aws.operation": "Query",
        "aws.region": "eu-west-1",
        "aws.table_name": "items",
        "aws.request_id": "REQ1",
        "http.status_code": 200,
        "http.response.status_code": 200,
    }
    assert not any(
        name.startswith(("aws.", "rpc."))
        for span in named(spans, "dynamodb_poll")
        for name in attributes(span)
    ), "the exporter would rename the span"


def test_a_metric_put_is_cloudwatchs_under_xrays_name(world: TracingWorld) -> None:
    trace = world.start()
    step = begin(trace, "cloudwatch_put_metric", metric_count=3, namespace="N")
    request(step, world, name="PutMetricData", service="monitoring", table=None)
    finish(step)
    end(trace)

    call = attributes(only(world.flushed(), "CloudWatch.PutMetricData"))
    assert call["aws.service"] == "monitoring"
    assert "aws.table_name" not in call


def test_a_lost_conditional_write_is_a_normal_answer(world: TracingWorld) -> None:
    """X-Ray would show its 400 as an error of every busy acquire."""
    trace = world.start()
    step = begin(trace, "connection_acquire")
    request(
        step,
        world,
        name="PutItem",
        status=400,
        error_code="ConditionalCheckFailedException",
        error_message="The conditional request failed",
    )
    finish(step)
    end(trace)

    spans = world.flushed()
    call = only(spans, "DynamoDB.PutItem")
    assert "http.status_code" not in attributes(call)
    assert "http.response.status_code" not in attributes(call)
    for span in (call, only(spans, "connection_acquire")):
        assert span.status.status_code is StatusCode.UNSET
        assert not span.events


@pytest.mark.parametrize(
    ("status", "code", "is_fault"),
    [
        (400, "ThrottlingException", False),
        (400, "ResourceNotFoundException", False),
        (403, "AccessDeniedException", False),
        (500, "InternalServerError", True),
        (503, "ServiceUnavailable", True),
    ],
)
def test_a_request_fails_with_awss_code_and_only_5xx_is_a_fault(
    world: TracingWorld, status: int, code: str, is_fault: bool
) -> None:
    trace = world.start()
    step = begin(trace, "dynamodb_poll")
    request(step, world, status=status, error_code=code, error_message="because")
    finish(step)
    end(trace)

    call = only(world.flushed(), "DynamoDB.Query")
    assert attributes(call)["http.status_code"] == status
    assert exceptions(call) == [{"exception.type": code, "exception.message": "because"}]
    assert (call.status.status_code is StatusCode.ERROR) is is_fault


def test_a_request_without_answer_is_a_fault_with_its_exception(world: TracingWorld) -> None:
    trace = world.start()
    step = begin(trace, "dynamodb_poll")
    request(step, world, status=None, request_id=None, error=TimeoutError("read timed out"))
    finish(step)
    end(trace)

    call = only(world.flushed(), "DynamoDB.Query")
    assert "http.status_code" not in attributes(call)
    assert [one["exception.type"] for one in exceptions(call)] == ["TimeoutError"]
    assert call.status.status_code is StatusCode.ERROR


def test_a_request_outside_a_step_hangs_under_the_root(world: TracingWorld) -> None:
    trace = world.start()
    trace.add_request(aws_request(world.clock.now_ns, world.clock.now_ns + 1))
    end(trace)

    spans = world.flushed()
    call = only(spans, "DynamoDB.Query")
    assert call.kind is SpanKind.CLIENT
    assert call.parent is not None
    assert call.parent.span_id == span_id(only(spans, "sse_stream"))


def test_a_request_outside_a_step_is_counted_beyond_the_budget() -> None:
    world = short_of_spans(1)
    trace = world.start()
    for _ in range(4):
        trace.add_request(aws_request(world.clock.now_ns, world.clock.now_ns + 1))
    end(trace)

    own, rollup = named(world.flushed(), "DynamoDB.Query")
    assert own.kind is SpanKind.CLIENT
    assert rollup.kind is SpanKind.INTERNAL
    assert attributes(rollup)["count"] == 3


# Failures of steps


def raised(make: Callable[[], BaseException], cause: BaseException | None = None) -> BaseException:
    try:
        raise make() from cause
    except BaseException as error:
        return error


def test_a_chain_of_exceptions_comes_cause_first_each_with_its_stack(world: TracingWorld) -> None:
    """The exporter drops type and message of a chained cause."""
    cause = raised(lambda: OSError("the cause"))
    trace = world.start()
    poll(trace, world, error=raised(lambda: ValueError("the effect"), cause))
    end(trace)

    events = exceptions(only(world.flushed(), "dynamodb_poll"))
    assert [(one["exception.type"], one["exception.message"]) for one in events] == [
        ("OSError", "the cause"),
        ("ValueError", "the effect"),
    ]
    assert all("Traceback" in one["exception.stacktrace"] for one in events)


def test_a_stack_goes_out_once_per_type_and_place(world: TracingWorld) -> None:
    trace = world.start()
    for error in (
        raised(lambda: ValueError("one")),
        raised(lambda: ValueError("two")),
        raised(lambda: KeyError("other type")),
    ):
        poll(trace, world, error=error)
    end(trace)

    stacks = [
        "exception.stacktrace" in one
        for span in named(world.flushed(), "dynamodb_poll")
        for one in exceptions(span)
    ]
    assert stacks == [True, False, True]


@pytest.mark.parametrize(
    ("error", "status", "error_type"),
    [
        (AwsThrottled("ThrottlingException", "slow"), StatusCode.UNSET, "ThrottlingException"),
        (AwsRefused("AccessDenied", "no"), StatusCode.UNSET, "AccessDenied"),
        (AwsUnavailable("InternalServerError", "5xx"), StatusCode.ERROR, "InternalServerError"),
        (AwsUnavailable("ReadTimeoutError", "-"), StatusCode.ERROR, "ReadTimeoutError"),
        (KeyError("a defect"), StatusCode.ERROR, "KeyError"),
    ],
    ids=lambda value: getattr(value, "name", None) or type(value).__name__,
)
def test_a_cycle_around_a_4xx_is_no_fault_and_everything_else_is(
    world: TracingWorld, error: BaseException, status: StatusCode, error_type: str
) -> None:
    trace = world.start()
    poll(trace, world, error=error)
    end(trace)

    cycle = only(world.flushed(), "dynamodb_poll")
    assert cycle.status.status_code is status
    assert attributes(cycle)["error_type"] == error_type
    assert exceptions(cycle)


def test_the_root_is_a_fault_only_when_the_stream_ends_by_one() -> None:
    error = raised(lambda: ValueError("defect"))
    for reason, status in (("error", StatusCode.ERROR), ("rotate", StatusCode.UNSET)):
        world = TracingWorld()
        trace = world.start()
        poll(trace, world, error=error)
        end(trace, reason, error if reason == "error" else None)

        root = only(world.flushed(), "sse_stream")
        assert root.status.status_code is status
        assert [one["exception.type"] for one in exceptions(root)] == (
            ["ValueError"] if reason == "error" else []
        )


def test_a_message_is_cut(world: TracingWorld) -> None:
    """A document may have 64 KB."""
    trace = world.start()
    poll(trace, world, error=ValueError("x" * 100_000))
    end(trace)

    (event,) = exceptions(only(world.flushed(), "dynamodb_poll"))
    assert len(event["exception.message"]) == 1000


# Beyond the budget


def short_of_spans(budget: int, slow_ms: float = 500) -> TracingWorld:
    return TracingWorld(
        make_settings(SSE_TRACE_SPAN_BUDGET=str(budget), SSE_TRACE_SLOW_MS=str(slow_ms))
    )


def test_what_the_budget_does_not_cover_is_counted_exactly() -> None:
    world = short_of_spans(4)
    trace = world.start()
    for _ in range(10):
        poll(trace, world, ms=5)  # two spans each
    end(trace)

    spans = world.flushed()
    *own, rollup = named(spans, "dynamodb_poll")
    assert len(own) == 2
    assert len(named(spans, "DynamoDB.Query")) == 2
    assert attributes(only(spans, "sse_stream"))["spans_rolled_up"] == 16
    assert attributes(rollup) == {
        "rolled_up": True,
        "count": 8,
        "item_count": 16,
        "duration_ms_sum": 40.0,
        "duration_ms_max": 5.0,
        "request_count": 8,
        "request_ms_sum": 40.0,
        "request_ms_max": 5.0,
        "slowest_sentiment_type": "positive",
        "slowest_item_count": 2,
    }
    assert rollup.kind is SpanKind.INTERNAL, "it would put a minute's latency on the service map"


def test_each_minute_has_its_own_roll_up_of_each_name() -> None:
    world = short_of_spans(1)
    trace = world.start()
    for _ in range(3):
        for _ in range(60):
            poll(trace, world, ms=100)
            dispatched(trace, world.clock.now_ns, "sentiment", 1.0, is_cold_start=False)
            world.clock.pass_ms(900)
    end(trace)

    spans = world.flushed()
    for name in ("dynamodb_poll", "sse_event_dispatch"):
        rollups = [span for span in named(spans, name) if "rolled_up" in attributes(span)]
        assert [attributes(span)["count"] for span in rollups] == [60, 60, 60]
        for span in rollups:
            assert span.start_time is not None
            assert span.end_time is not None
            assert span.end_time - span.start_time <= WINDOW_NS


def test_errors_and_slow_steps_keep_their_own_span_up_to_a_number() -> None:
    """Slow ones a part of it; and room is kept for the first failure of each kind to come."""
    world = short_of_spans(1, slow_ms=50)
    trace = world.start()
    for number in range(31):
        step = begin(trace, "connection_renew")
        world.clock.pass_ms(60 if number % 2 else 5)
        finish(step, None if number % 2 or number == 0 else KeyError("k"))
    end(trace)

    spans = named(world.flushed(), "connection_renew")
    own = [span for span in spans if "rolled_up" not in attributes(span)]
    rolled = [attributes(span) for span in spans if "rolled_up" in attributes(span)]
    assert len(own) - 1 == OTHER_PLACES + 1
    assert sum(one["count"] for one in rolled) == 31 - len(own)
    assert {one.get("error_type") for one in rolled} == {None, "KeyError"}


def test_a_roll_up_of_faults_is_a_fault_and_one_of_throttles_is_not() -> None:
    world = short_of_spans(1)
    trace = world.start()
    for _ in range(OTHER_PLACES + 5):
        poll(trace, world, error=AwsThrottled("ThrottlingException", "t"))
        poll(trace, world, error=AwsUnavailable("InternalServerError", "u"))
    end(trace)

    status = {
        attributes(span)["error_type"]: span.status.status_code
        for span in named(world.flushed(), "dynamodb_poll")
        if "rolled_up" in attributes(span)
    }
    assert status == {
        "ThrottlingException": StatusCode.UNSET,
        "InternalServerError": StatusCode.ERROR,
    }


def test_a_roll_up_of_errors_names_the_first_ones_exception_without_its_stack() -> None:
    """X-Ray shows what an error was by its cause; a throttle's roll-up has no other sign of one."""
    world = short_of_spans(1)
    trace = world.start()
    for number in range(40):
        poll(trace, world, error=AwsThrottled("ThrottlingException", f"{number:02}" + "m" * 500))
    end(trace)

    (rollup,) = (s for s in world.flushed() if "rolled_up" in attributes(s))
    (said,) = exceptions(rollup)
    assert said["exception.type"] == "lambdas.sse_streaming.aws.errors.AwsThrottled"
    assert re.fullmatch(r"ThrottlingException: \d\dm{77}", said["exception.message"])
    assert "exception.stacktrace" not in said
    assert rollup.status.status_code is StatusCode.UNSET


def test_a_late_kind_of_error_has_its_own_span_after_a_storm_of_another() -> None:
    world = short_of_spans(10)
    trace = world.start()
    for _ in range(200):
        poll(trace, world, ms=600)
        poll(trace, world, error=AwsThrottled("ThrottlingException", "Rate exceeded"))
    kinds = [f"Error{n}" for n in range(FIRST_PLACES - 1)]
    for kind in kinds:
        poll(trace, world, error=AwsUnavailable(kind, "no usable answer"))
    end(trace)

    own = [s for s in named(world.flushed(), "dynamodb_poll") if "rolled_up" not in attributes(s)]
    by_kind = {attributes(span).get("error_type"): span for span in own}
    assert set(by_kind) == {None, "ThrottlingException", *kinds}
    for kind in kinds:
        assert by_kind[kind].status.status_code is StatusCode.ERROR
        assert exceptions(by_kind[kind])


def test_where_only_the_step_fits_in_its_requests_are_counted_in_it() -> None:
    world = TracingWorld(make_settings(SSE_TRACE_SPAN_BUDGET="10000"))
    trace = world.start()
    for _ in range(100):
        poll(trace, world)
    step = begin(trace, "dynamodb_poll", item_count=0)
    for ms in (4, 7, 5):
        request(step, world, ms=ms)
    finish(step, raised(lambda: KeyError("k" * 900)))
    end(trace)

    spans = world.flushed()
    (failed,) = (s for s in named(spans, "dynamodb_poll") if "error_type" in attributes(s))
    assert attributes(failed) == {
        "item_count": 0,
        "error_type": "KeyError",
        "request_count": 3,
        "request_ms_sum": 16.0,
        "request_ms_max": 7.0,
    }
    assert exceptions(failed) == [
        {"exception.type": "KeyError", "exception.message": "'" + "k" * 99}
    ]
    own = [span for span in spans if "rolled_up" not in attributes(span)]
    assert len(own) - 1 + attributes(only(spans, "sse_stream"))["spans_rolled_up"] == 204


# The end


def end_of_stream(trace: Trace, world: TracingWorld) -> None:
    for name, service in (
        ("session_record_save", "dynamodb"),
        ("connection_release", "dynamodb"),
        ("cloudwatch_put_metric", "monitoring"),
    ):
        step = begin(trace, name, keep=Keep.LAST, connection_id="7.abc")
        request(step, world, service=service)
        finish(step)


def test_the_steps_that_end_a_stream_have_their_own_spans_when_everything_is_spent() -> None:
    world = TracingWorld(make_settings(SSE_TRACE_SPAN_BUDGET="10000"))
    trace = world.start()
    for number in range(400):
        poll(trace, world, error=AwsUnavailable(f"E{number}", "m" * 900))
        put = begin(trace, "cloudwatch_put_metric", keep=Keep.LAST)
        finish(put)
    end_of_stream(trace, world)
    end(trace)

    spans = world.flushed()
    for name in ("session_record_save", "connection_release"):
        assert "rolled_up" not in attributes(only(spans, name))
    last_put = max(named(spans, "cloudwatch_put_metric"), key=lambda span: span.end_time or 0)
    assert attributes(last_put)["connection_id"] == "7.abc"
    assert "rolled_up" not in attributes(last_put)
    parents = {
        span.parent.span_id for span in spans if span.kind is SpanKind.CLIENT and span.parent
    }
    assert span_id(last_put) in parents
    assert span_id(only(spans, "connection_release")) in parents


def test_full_detail_has_no_budget() -> None:
    world = TracingWorld(make_settings(SSE_TRACE_DETAIL="full", SSE_TRACE_SPAN_BUDGET="1"))
    trace = world.start()
    for _ in range(200):
        poll(trace, world)
    end(trace)

    assert len(world.flushed()) == 401


def test_nothing_disappears_without_being_counted() -> None:
    """Own spans, what is rolled up, and what is lost add up to everything that happened."""
    world = short_of_spans(50)
    trace = world.start()
    for number in range(500):
        poll(trace, world, ms=600 if number % 37 == 0 else 5)
        world.clock.pass_ms(995)
    end(trace)

    spans = world.flushed()
    own = [span for span in spans if "rolled_up" not in attributes(span)]
    root = attributes(only(spans, "sse_stream"))
    assert len(own) - 1 + root["spans_rolled_up"] == 1000
    said = [attributes(span) for span in spans]
    rolled = sum(one["count"] for one in said if "rolled_up" in one)
    requests = sum(one["request_count"] for one in said if "request_ms_sum" in one)
    assert rolled + requests == root["spans_rolled_up"]


# Exports


def test_the_early_export_happens_once(world: TracingWorld) -> None:
    trace = world.start()
    poll(trace, world)
    trace.export_early()
    world.tracing.buffer.flush()
    poll(trace, world)
    trace.export_early()
    early = list(world.exporter.batches)
    end(trace)
    world.flushed()

    assert [len(batch) for batch in early] == [2]
    assert [len(batch) for batch in world.exporter.batches] == [2, 3]


@pytest.mark.parametrize("settings", [{}, {"SSE_TRACE_DETAIL": "full"}])
def test_a_step_that_hangs_past_the_end_is_recorded_then_and_not_again(
    settings: dict[str, str],
) -> None:
    world = TracingWorld(make_settings(**settings))
    trace = world.start()
    late = begin(trace, "connection_renew", connection_id="7.abc")
    request(late, world)
    world.clock.pass_ms(2000)
    end(trace)
    ended_ns = world.clock.now_ns
    world.clock.pass_ms(2000)
    request(late, world)
    finish(late, TimeoutError("at last"))

    spans = world.flushed()
    assert [span.name for span in spans] == ["DynamoDB.Query", "connection_renew", "sse_stream"]
    step = only(spans, "connection_renew")
    assert attributes(step) == {
        "connection_id": "7.abc",
        "request_count": 1,
        "is_request_count_partial": True,
        "error_type": "unfinished",
    }
    assert step.end_time == ended_ns
    assert step.status.status_code is StatusCode.ERROR
    assert [one["exception.type"] for one in exceptions(step)] == ["unfinished"]
    assert world.tracing.buffer.take_counts() == (0, 0)


def test_what_a_shutdown_interrupts_is_no_fault_unless_it_hung(world: TracingWorld) -> None:
    """The slot is released while the spans leave, and that may well succeed."""
    trace = world.start()
    begin(trace, "dynamodb_poll")
    world.clock.pass_ms(3000)
    begin(trace, "connection_release")
    world.clock.pass_ms(3)
    end(trace, "shutdown")

    spans = world.flushed()
    release, hung = only(spans, "connection_release"), only(spans, "dynamodb_poll")
    assert attributes(release)["error_type"] == attributes(hung)["error_type"] == "unfinished"
    assert release.status.status_code is StatusCode.UNSET
    assert hung.status.status_code is StatusCode.ERROR
    assert not release.events


def test_hanging_steps_beyond_the_budget_are_rolled_up_and_counted() -> None:
    world = short_of_spans(1)
    trace = world.start()
    for _ in range(50):
        begin(trace, "dynamodb_poll")
    world.clock.pass_ms(3000)
    end(trace)

    spans = named(world.flushed(), "dynamodb_poll")
    said = [attributes(span) for span in spans]
    assert {one["error_type"] for one in said} == {"unfinished"}
    assert sum(one.get("count", 1) for one in said) == 50


@pytest.mark.parametrize("settings", [{}, {"SSE_TRACE_SPAN_BUDGET": "1"}])
def test_a_slot_released_while_the_spans_leave_is_recorded(settings: dict[str, str]) -> None:
    """After SIGTERM it may begin when the root has ended, and is this trace's all the same."""
    world = TracingWorld(make_settings(**settings))
    trace = world.start()
    for _ in range(20):
        poll(trace, world)
    end(trace, "shutdown")
    trace.export()
    end_of_stream(trace, world)

    spans = world.flushed()
    for name in ("connection_release", "cloudwatch_put_metric"):
        step = only(spans, name)
        assert step.parent is not None
        assert step.parent.span_id == span_id(only(spans, "sse_stream"))
    assert world.tracing.buffer.take_counts()[0] == 0


def test_anything_else_after_the_end_is_counted_as_lost(world: TracingWorld) -> None:
    trace = world.start()
    end(trace)
    poll(trace, world)

    assert [span.name for span in world.flushed()] == ["sse_stream"]
    assert world.tracing.buffer.take_counts() == (2, 0)


def test_a_root_says_what_its_own_trace_lost_and_no_other() -> None:
    world = TracingWorld(
        make_settings(SSE_TRACE_DETAIL="full"), MemoryExporter([Outcome.FAILED, Outcome.FAILED])
    )
    first = world.start()
    poll(first, world)
    end(first)
    world.tracing.buffer.flush()
    other_root = f"Root=1-5759e989-{'c' * 24};Parent={PARENT_ID};Sampled=1"
    second = world.start(other_root)
    poll(second, world)
    world.tracing.buffer.flush()  # the first trace's three are lost with it
    poll(second, world)
    world.tracing.buffer.flush()  # and two of the second's
    end(second)
    world.tracing.buffer.flush()

    root = world.exporter.batches[-1][-1]
    assert attributes(root)["spans_lost"] == 2
    assert world.tracing.buffer.lost_spans == 3 + 2 + 2


def test_the_kill_switch_leaves_no_trace() -> None:
    world = TracingWorld(make_settings(OTEL_SDK_DISABLED="true"))
    trace = world.start()
    poll(trace, world)
    dispatched(trace, 0, "sentiment", 1.0, is_cold_start=False)
    trace.export_early()
    trace.export()
    end(trace)

    assert type(trace) is Trace
    assert trace.trace_id == ROOT, "clients may still name the trace that X-Ray has"
    assert world.flushed() == []


def test_nothing_is_current_while_a_step_is_under_way(world: TracingWorld) -> None:
    """A span held current across a yield would adopt whatever runs next."""
    trace = world.start()
    with trace.step("dynamodb_poll"):
        assert not get_current_span().get_span_context().is_valid


def test_the_resource_names_the_service_and_no_global_provider_is_set(world: TracingWorld) -> None:
    trace = world.start()
    end(trace)

    resource = only(world.flushed(), "sse_stream").resource.attributes
    assert resource["service.name"] == "sse-streaming"
    assert resource["cloud.provider"] == "aws"
    assert isinstance(api.get_tracer_provider(), api.ProxyTracerProvider)
