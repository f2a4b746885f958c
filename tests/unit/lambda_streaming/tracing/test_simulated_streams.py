"""Whole streams on virtual time: what their traces weigh in X-Ray, and that their sums are true.

Every span goes through the OTLP encoder and becomes the document that the collector's exporter
would write; the truth is what the stream told its trace, counted beside it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from lambda_streaming.tracing.budget.policy import FIRST_PLACES, OTHER_PLACES, TRACE_BYTES
from lambda_streaming.tracing.budget.rollup import MAX_ROLLUPS
from lambda_streaming.tracing.export.buffer import SpanBuffer
from lambda_streaming.tracing.header import parse_trace_header
from lambda_streaming.tracing.step import Scalar, Step, Trace
from lambda_streaming.tracing.tracer import Tracing
from lambdas.sse_streaming.aws.errors import AwsThrottled, AwsUnavailable
from lambdas.sse_streaming.settings import Settings
from local_aws.traces.xray.documents import document_bytes, to_document
from tests.counts import count
from tests.fakes.memory_aws import make_item
from tests.fakes.spans import SAMPLED, MemoryExporter
from tests.fakes.streams import Received, World, consume
from tests.fakes.virtual_time import run_virtually

EVENTFUL = FIRST_PLACES + OTHER_PLACES
QUARTER_OF_AN_HOUR = {
    "SSE_MAX_STREAM_SECONDS": "900",
    "SSE_POLL_SECONDS": "1",
    "SSE_POLL_MAX_SECONDS": "1",
    "SSE_MAX_STREAM_BYTES": "200000000",
}


@dataclass(slots=True)
class Totals:
    """Of the steps of one name."""

    steps: int = 0
    requests: int = 0
    duration_ms: float = 0.0
    sums: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


class Witness(Trace):
    """Counts what a stream tells its trace, and passes it on."""

    def __init__(self, trace: Trace, world: World) -> None:
        super().__init__(trace.trace_id, world.offload)
        self._trace = trace
        self._now_ns = world.clock.wall_ns
        self.span_id = trace.span_id
        self.totals: defaultdict[str, Totals] = defaultdict(Totals)

    def step_began(self, step: Step) -> None:
        self._trace.step_began(step)

    def step_ended(self, step: Step, error: BaseException | None) -> None:
        self._trace.step_ended(step, error)
        self._count(step)
        if error is not None:
            self.totals[step.name].errors[str(getattr(error, "code", ""))] += 1

    def record(self, name: str, started_ns: int, /, **attributes: Scalar) -> None:
        self._trace.record(name, started_ns, **attributes)
        self._count(Step(name, started_ns, attributes, ended_ns=self._now_ns()))

    def export_early(self) -> None:
        self._trace.export_early()

    def export(self) -> None:
        self._trace.export()

    def end(self, attributes: Mapping[str, Scalar], **said: Any) -> None:
        self._trace.end(attributes, **said)

    @property
    def span_count(self) -> int:
        return 1 + sum(total.steps + total.requests for total in self.totals.values())

    def _count(self, step: Step) -> None:
        total = self.totals[step.name]
        total.steps += 1
        total.requests += len(step.requests)
        total.duration_ms += step.duration_ns / 1e6
        for name, value in step.attributes.items():
            if not isinstance(value, str | bool) and name != "request_count":
                total.sums[name] += value  # type: ignore[assignment]  # Counter holds floats


class ImmediateBuffer(SpanBuffer):
    """Sends in the caller's thread: virtual time has no use for another."""

    def flush_in_background(self) -> None:
        self.flush()


@dataclass(slots=True)
class Outcome:
    """What came of one simulated stream."""

    received: Received
    witness: Witness
    exporter: MemoryExporter
    most_pending_spans: int

    @property
    def spans(self) -> list[ReadableSpan]:
        return self.exporter.spans

    @property
    def root(self) -> Mapping[str, Any]:
        (root,) = (span for span in self.spans if span.name == "sse_stream")
        return dict(root.attributes or {})

    def documents(self) -> list[dict[str, Any]]:
        return [
            to_document(span, group.resource)
            for group in encode_spans(self.spans).resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Mapping[str, Any]]:
        return [dict(span.attributes or {}) for span in self.spans if span.name == name]

    @property
    def own(self) -> list[ReadableSpan]:
        return [span for span in self.spans if "rolled_up" not in (span.attributes or {})]

    @property
    def rolled(self) -> list[ReadableSpan]:
        return [span for span in self.spans if "rolled_up" in (span.attributes or {})]


def simulate(
    *,
    events: int,
    seconds: float = 900.0,
    prepare: Callable[[World], None] = lambda _: None,
    **settings: str,
) -> Outcome:
    """One stream to its end, with so many events spread over its time."""

    async def scenario() -> Outcome:
        world = World(0, **{**QUARTER_OF_AN_HOUR, **settings})
        exporter, pending = MemoryExporter(), 0
        tracing = Tracing(world.settings.tracing, {}, world.clock, world.offload)
        tracing.buffer = ImmediateBuffer(
            lambda: exporter, flush_seconds=5, batch_spans=_batch_spans(world.settings)
        )
        trace = tracing.start("sse_stream", parse_trace_header(SAMPLED))
        witness = Witness(trace, world)
        writing = asyncio.create_task(_write(world, events, seconds))
        received = Received()
        streaming = asyncio.create_task(consume(world.open(trace=witness), received))
        await asyncio.sleep(0.5)
        assert received.names == ["ready"]
        prepare(world)
        while not streaming.done():
            pending = max(pending, len(tracing.buffer._ended) + len(tracing.buffer._kept))
            await asyncio.sleep(1)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        tracing.buffer.flush()
        return Outcome(await streaming, witness, exporter, pending)

    return run_virtually(scenario())


def _batch_spans(settings: Settings) -> int | None:
    return 512 if settings.trace_full_detail else None


async def _write(world: World, events: int, seconds: float) -> None:
    """So many items, evenly, in the three sentiments; what is old leaves the index."""
    interval = 1.0
    per_turn = events * interval / seconds
    written, due = 0, 0.0
    while written < events:
        await asyncio.sleep(interval)
        now_ms = world.clock.wall_ms()
        world.index.expire(now_ms - 15_000)
        due = min(due + per_turn, events)
        while written < round(due):
            sentiment = ("positive", "neutral", "negative")[written % 3]
            world.index.put(make_item(f"i{written}", now_ms, sentiment))
            written += 1


def assert_true_to_the_last_count(outcome: Outcome) -> None:
    """Own spans and roll-ups together say exactly what happened."""
    requests = sum(span.name == "DynamoDB.Query" for span in outcome.own)
    for name, truth in outcome.witness.totals.items():
        said = outcome.named(name)
        rolled = [one for one in said if "rolled_up" in one]
        own = [one for one in said if "rolled_up" not in one]
        assert len(own) + sum(one["count"] for one in rolled) == truth.steps, name
        for key, total in truth.sums.items():
            if key == "max_connections":  # how many there may be, not how much of anything
                continue
            assert sum(one.get(key, 0) for one in said) == pytest.approx(total), (name, key)
        errors: Counter[str] = Counter(one["error_type"] for one in own if "error_type" in one)
        for one in rolled:
            if "error_type" in one:
                errors[one["error_type"]] += one["count"]
        assert errors == truth.errors, name
        durations = sum(one["duration_ms_sum"] for one in rolled) + sum(
            ((span.end_time or 0) - (span.start_time or 0)) / 1e6
            for span in outcome.own
            if span.name == name
        )
        assert durations == pytest.approx(truth.duration_ms, rel=1e-6), name
        counted_only = rolled + [one for one in own if "request_ms_sum" in one]
        requests += sum(one.get("request_count", 0) for one in counted_only)
    assert requests == sum(truth.requests for truth in outcome.witness.totals.values())
    assert len(outcome.own) + outcome.root["spans_rolled_up"] == outcome.witness.span_count
    assert outcome.root["spans_lost"] == 0


def assert_xray_takes_all_of_it(outcome: Outcome) -> None:
    sizes = [document_bytes(document) for document in outcome.documents()]
    assert sum(sizes) <= TRACE_BYTES
    assert max(sizes) < 64_000
    assert len(outcome.exporter.batches) <= 2


def test_a_quarter_of_an_hour_with_five_events_a_second() -> None:
    outcome = simulate(events=4_500)

    assert outcome.received.error is None
    assert outcome.received.names[-1] == "end"
    assert len(outcome.received.item_ids) > 3_500
    assert_xray_takes_all_of_it(outcome)
    assert_true_to_the_last_count(outcome)
    assert len(outcome.own) - 1 <= 120 + EVENTFUL
    assert len(outcome.own) - 1 >= 100


def test_the_events_of_a_very_busy_stream() -> None:
    events = count(100_000)
    outcome = simulate(events=events, seconds=700)

    assert len(outcome.received.item_ids) == events
    assert_xray_takes_all_of_it(outcome)
    assert_true_to_the_last_count(outcome)
    assert outcome.most_pending_spans <= 120 + 4 * EVENTFUL


def test_the_polls_of_an_idle_streams_first_twenty_seconds_have_their_own_spans() -> None:
    """Poll cycles of three queries are the largest ordinary kind."""
    outcome = simulate(events=0)

    assert_xray_takes_all_of_it(outcome)
    assert_true_to_the_last_count(outcome)
    polls = [span for span in outcome.own if span.name == "dynamodb_poll"]
    assert len(polls) >= 20


class Outage:
    """DynamoDB answers nothing but failures, of several kinds in turn."""

    KINDS = (
        lambda: AwsUnavailable("ReadTimeoutError", "no usable answer in time"),
        lambda: AwsThrottled("ThrottlingException", "Rate exceeded <again & again>"),
        lambda: AwsUnavailable("InternalServerError", "x" * 900),
    )

    def __init__(self) -> None:
        self._failures = 0

    def __call__(self) -> None:
        self._failures += 1
        raise self.KINDS[self._failures % 3]()


def start_outage(world: World) -> None:
    outage = Outage()
    world.index.fail = world.connections.fail = outage


def test_dynamodb_fails_for_the_whole_stream() -> None:
    outcome = simulate(events=0, prepare=start_outage)

    assert outcome.received.names == ["ready", "end"]
    assert_xray_takes_all_of_it(outcome)
    assert_true_to_the_last_count(outcome)
    truth = outcome.witness.totals["dynamodb_poll"].errors
    assert sum(truth.values()) > 500
    by_itself = {
        (span.attributes or {}).get("error_type")
        for span in outcome.own
        if span.name == "dynamodb_poll"
    }
    assert (
        by_itself
        >= set(truth)
        == {
            "ReadTimeoutError",
            "ThrottlingException",
            "InternalServerError",
        }
    )
    documents = [d for d in outcome.documents() if d["name"] == "dynamodb_poll"]
    stacks = [
        e for d in documents if "cause" in d for e in d["cause"]["exceptions"] if "stack" in e
    ]
    assert len(stacks) == 2, "the stack once per exception type and place"
    (release,) = (s for s in outcome.spans if s.name == "connection_release")
    assert "rolled_up" not in (release.attributes or {})
    assert outcome.most_pending_spans <= 300


def test_an_outage_late_in_a_busy_stream_shows_by_itself() -> None:
    """When every own span is spent, what was kept back for errors is still there."""

    def later(world: World) -> None:
        world.loop.call_later(600, start_outage, world)

    outcome = simulate(events=3_000, prepare=later, seconds=600)

    assert_xray_takes_all_of_it(outcome)
    assert_true_to_the_last_count(outcome)
    failed = [s for s in outcome.own if "error_type" in (s.attributes or {})]
    assert 3 <= len(failed) <= EVENTFUL


SEVEN_KINDS = (
    "InternalServerError",
    "ReadTimeoutError",
    "ConnectTimeoutError",
    "EndpointConnectionError",
    "ConnectionClosedError",
    "ServiceUnavailable",
    "ResponseParserError",
)


@pytest.mark.parametrize("events", [0, 4_500])
@pytest.mark.parametrize("before", ["slow", "throttled"])
def test_an_outage_after_a_bad_hour_shows_each_of_its_kinds(before: str, events: int) -> None:
    """Neither slow steps nor a storm of throttles spend what is kept for what comes after them."""

    def throttled() -> None:
        raise AwsThrottled("ThrottlingException", "Rate exceeded")

    kinds = itertools.cycle(SEVEN_KINDS)

    def unavailable() -> None:
        raise AwsUnavailable(next(kinds), "no usable answer in time")

    def prepare(world: World) -> None:
        def fail_from_now_on() -> None:
            world.aws_latency_seconds = lambda: 0.0
            world.index.fail = unavailable

        if before == "slow":
            world.aws_latency_seconds = lambda: 0.6
        else:
            world.index.fail = throttled
        world.loop.call_later(500, fail_from_now_on)

    outcome = simulate(events=events, prepare=prepare, seconds=500)

    assert_xray_takes_all_of_it(outcome)
    assert_true_to_the_last_count(outcome)
    faults = {
        d["metadata"]["default"]["error_type"]: d
        for d in outcome.documents()
        if d["name"] == "dynamodb_poll" and d["fault"] and "count" not in d["metadata"]["default"]
    }
    assert set(faults) == set(SEVEN_KINDS)
    assert all(document["cause"]["exceptions"] for document in faults.values())
    for document in outcome.documents():
        said = document["metadata"]["default"]
        if "error_type" in said:
            assert document["cause"]["exceptions"], said


def test_a_new_error_type_each_time_costs_no_more() -> None:
    failures = iter(range(1_000_000))

    def strange() -> None:
        raise AwsUnavailable(f"Strange{next(failures)}", "m" * 1000)

    def prepare(world: World) -> None:
        world.index.fail = strange

    outcome = simulate(events=0, prepare=prepare)

    assert_xray_takes_all_of_it(outcome)
    assert len(outcome.own) + outcome.root["spans_rolled_up"] == outcome.witness.span_count
    assert len(outcome.rolled) <= MAX_ROLLUPS


def test_slow_requests_keep_their_own_span() -> None:
    """Every poll takes 0.6 s, over SSE_TRACE_SLOW_MS."""

    def slow(world: World) -> None:
        world.aws_latency_seconds = lambda: 0.6

    outcome = simulate(events=900, prepare=slow)

    assert_xray_takes_all_of_it(outcome)
    assert_true_to_the_last_count(outcome)


@pytest.mark.parametrize("events", [4_500, count(100_000)])
def test_full_detail_exports_every_one(events: int) -> None:
    outcome = simulate(events=events, SSE_TRACE_DETAIL="full")

    assert len(outcome.spans) == outcome.witness.span_count
    assert outcome.rolled == []
    assert outcome.root["spans_rolled_up"] == 0
    assert outcome.root["spans_lost"] == 0
    assert outcome.most_pending_spans <= 512
    assert len(outcome.exporter.batches) >= len(outcome.spans) // 512


def test_own_spans_and_rolled_up_ones_are_what_full_detail_exports() -> None:
    budgeted, full = (simulate(events=4_500, SSE_TRACE_DETAIL=d) for d in ("budget", "full"))

    assert len(budgeted.own) + budgeted.root["spans_rolled_up"] == len(full.spans)
