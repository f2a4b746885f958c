"""Whatever a stream does: its trace stays within X-Ray's allowance, and nothing goes uncounted."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from lambda_streaming.tracing.budget.policy import TRACE_BYTES
from lambda_streaming.tracing.step import Keep, Step, Trace
from lambdas.sse_streaming.aws.errors import AwsThrottled, AwsUnavailable
from local_aws.traces.xray.documents import document_bytes, to_document
from tests.fakes.aws_requests import aws_request
from tests.fakes.spans import TracingWorld, begin, end, finish
from tests.fakes.streams import make_settings

NAMES = (
    "connection_acquire",
    "dynamodb_poll",
    "connection_renew",
    "cloudwatch_put_metric",
    "session_record_save",
    "connection_release",
)
KEEP = {name: Keep.BUDGET if name in NAMES[1:3] else Keep.LAST for name in NAMES}
TEXTS = ("m" * 2000, "<&>" * 500, "\u2028" * 1000, "\x01" * 1000, "😀" * 1000, "no")


def deeply(error: BaseException, depth: int) -> BaseException:
    """With a stack and a chain of causes, as deep as each other."""

    def fail(left: int) -> None:
        if left > 0:
            try:
                fail(left - 1)
            except Exception as cause:
                raise type(cause)(*cause.args) from cause
        raise error

    try:
        fail(depth)
    except Exception as caught:
        return caught
    raise AssertionError("it raised nothing")


def one_step(trace: Trace, world: TracingWorld, chance: random.Random, name: str) -> None:
    step = begin(trace, name, keep=KEEP[name], connection_id="7.abc", item_count=3)
    for _ in range(chance.randrange(4)):
        a_request(step, world)
    error: BaseException | None = None
    world.clock.pass_ms(chance.choice((1, 20, 700)))
    if chance.random() < 0.7:
        code, text = f"Kind{chance.randrange(30)}", chance.choice(TEXTS)
        make = chance.choice((AwsThrottled, AwsUnavailable))
        error = deeply(make(code, text), chance.randrange(3))
    finish(step, error)


def a_request(step: Step, world: TracingWorld) -> None:
    started_ns = world.clock.now_ns
    world.clock.pass_ms(3)
    request = aws_request(
        started_ns, world.clock.now_ns, region="eu-central-1", request_id="R" * 52
    )
    step.add_request(request)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("max_spans", ["1", "120", "10000"])
def test_a_stream_of_nothing_but_trouble_fits_in_and_counts_everything(
    seed: int, max_spans: str
) -> None:
    chance = random.Random(seed)
    world = TracingWorld(make_settings(SSE_TRACE_SPAN_BUDGET=max_spans))
    trace = world.start(link_to=("5759e988" + "a" * 24, "b" * 16))
    steps = Counter[str]()
    for _ in range(600):
        name = chance.choice(NAMES)
        one_step(trace, world, chance, name)
        steps[name] += 1
        trace.record("sse_event_dispatch", world.clock.now_ns, latency_ms=12.0)
        world.clock.pass_ms(chance.choice((0, 5_000)))
    for name in NAMES:
        begin(trace, name, keep=KEEP[name])
        steps[name] += 1
    end(trace, "error", deeply(ValueError("<&>" * 400), 4))

    spans = world.flushed()
    documents = [
        to_document(span, group.resource)
        for group in encode_spans(spans).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    assert sum(map(document_bytes, documents)) <= TRACE_BYTES
    counted = Counter[str]()
    for span in spans:
        counted[span.name] += int(str((span.attributes or {}).get("count", 1)))
    assert {name: counted[name] for name in steps} == steps
    assert counted["sse_event_dispatch"] == 600
    failed = [d for d in documents if "error_type" in d.get("metadata", {}).get("default", {})]
    assert all("cause" in document for document in failed)
