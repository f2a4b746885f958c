"""The app's own OpenTelemetry beside ours: in the same trace, nothing twice, all in the budget."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from moto.server import ThreadedMotoServer
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes.http_stand_in import Call, HttpStandIn
from tests.fakes.local import wait_until
from tests.fakes.traced_app import TracedApp, attributes, running, trace_header, url_event


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@dataclass
class Listening:
    """Stands for AWS where only what it is asked with counts."""

    url: str
    headers: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def listening() -> Iterator[Listening]:
    class Asked(Call):
        def respond(self) -> None:
            if self.command == "POST":
                self.sent()
                seen.headers.append({name.lower(): value for name, value in self.headers.items()})
            headers = {"content-type": "application/x-amz-json-1.0"}
            self.answer(200, b'{"TableNames": []}', headers)

    with HttpStandIn(Asked) as server:
        seen = Listening(server.url)
        yield seen


def spans_of(app: TracedApp, root: str = "asgi_request") -> list[Span]:
    wait_until(lambda: root in app.spans(), "the root arrives", seconds=5)
    trace_id = app.spans()[root].trace_id
    return [span for span in app.running.collector.spans if span.trace_id == trace_id]


def test_httpx_botocore_and_spans_by_hand_are_below_our_root_and_none_is_doubled(aws: str) -> None:
    own = {"AWS_STANDIN": aws, "OWN_TELEMETRY": "httpx,botocore"}
    with running("instrumented_app", own) as app:
        answer = app.ask(url_event("/"))
        spans = spans_of(app)

    (root,) = [span for span in spans if span.name == "asgi_request"]
    below = Counter(span.name for span in spans if span.parent_span_id == root.span_id)
    assert below == {"asgi_handler": 1, "DynamoDB.ListTables": 1, "GET": 1, "by_hand": 1}
    assert len(spans) == 5
    assert json.loads(answer.payload)["traceparent"] == (
        f"00-{root.trace_id.hex()}-{root.span_id.hex()}-01"
    )


def test_without_their_instrumentation_aws_requests_are_ours(aws: str) -> None:
    with running("instrumented_app", {"AWS_STANDIN": aws}) as app:
        app.ask(url_event("/"))
        spans = spans_of(app)
        handler = app.handler_phase()

    (request,) = [span for span in spans if span.name == "DynamoDB.ListTables"]
    assert attributes(request)["aws.operation"] == "ListTables"
    assert "subsegments" not in handler, "an AWS request inside an ASGI app is no subsegment"


def test_an_unsampled_request_makes_none_of_their_spans_either(aws: str) -> None:
    own = {"AWS_STANDIN": aws, "OWN_TELEMETRY": "httpx,botocore"}
    with running("instrumented_app", own) as app:
        app.ask(url_event("/"))  # from here on our provider is the global one
        sampled = len(spans_of(app))
        answer = app.ask(url_event("/"), trace=trace_header(9, sampled=0))
        app.ask(url_event("/"))
        spans_of(app)
        total = len(app.running.collector.spans)

    assert total == 2 * sampled
    assert json.loads(answer.payload)["traceparent"].endswith("-00")


def test_their_spans_keep_to_the_budget_and_none_is_without_its_parent(aws: str) -> None:
    with running("instrumented_app", {"AWS_STANDIN": aws}) as app:
        app.ask(url_event("/many"))
        spans = spans_of(app)

    ids = {span.span_id for span in spans}
    (root,) = [span for span in spans if span.name == "asgi_request"]
    assert all(span.parent_span_id in ids for span in spans if span is not root)
    rolled_up = attributes(root)["spans_rolled_up"]
    # A span that gets no place takes those below it with it: uncounted, it is the one counted.
    assert 40 <= len(spans) <= 125
    assert len(spans) - 2 + rolled_up >= 300


def test_a_provider_of_the_apps_own_is_left_alone_and_flushed_after_the_answer(aws: str) -> None:
    with running("instrumented_app", {"AWS_STANDIN": aws, "OWN_TELEMETRY": "provider"}) as app:
        app.ask(url_event("/"))
        spans = spans_of(app)
        said = app.running.function.end()

    assert "by_hand" not in {span.name for span in spans}
    assert "own provider flushed" in said


def test_tracing_own_leaves_the_headers_and_the_global_provider_alone(aws: str) -> None:
    with running("instrumented_app", {"AWS_STANDIN": aws, "TRACING": "own"}) as app:
        client = f"00-{'b' * 32}-{'c' * 16}-01"
        answer = app.ask(url_event("/", traceparent=client))
        spans = spans_of(app)

    assert json.loads(answer.payload)["traceparent"] == client
    assert "by_hand" not in {span.name for span in spans}


def test_tracing_off_records_nothing(aws: str) -> None:
    with running("instrumented_app", {"AWS_STANDIN": aws, "TRACING": "off"}) as app:
        answer = app.ask(url_event("/"))
        app.running.function.end()
        found = [*app.running.collector.spans, *app.running.daemon.documents]

    assert answer.prelude["statusCode"] == 200
    assert found == []


@pytest.mark.parametrize("tracing", ["join", "own", "off"])
def test_aws_requests_take_the_trace_header_with_them(listening: Listening, tracing: str) -> None:
    """Other services join the trace by it, and Lambda recognises a loop."""
    with running("instrumented_app", {"AWS_STANDIN": listening.url, "TRACING": tracing}) as app:
        header = trace_header(7) + ";Lineage=1:2:3"
        app.ask(url_event("/"), trace=header)

    (headers,) = listening.headers
    assert headers["x-amzn-trace-id"] == header


@pytest.mark.parametrize("trouble", ["failing", "hanging"])
def test_a_provider_that_does_not_export_keeps_no_invocation_waiting(
    aws: str, trouble: str
) -> None:
    own = {
        "AWS_STANDIN": aws,
        "OWN_TELEMETRY": f"provider,{trouble}",
        "STREAMING_FLUSH_SECONDS": "0.3",
    }
    with running("instrumented_app", own) as app:
        waits = []
        for _ in range(3):
            answer = app.ask(url_event("/loop"))
            assert answer.ended_at is not None
            waits.append(app.api.polls()[-1].at - answer.ended_at)
            assert app.handler_phase()["annotations"]["status"] == 200

    assert max(waits) < 2


def test_without_tracing_a_line_still_has_its_request_id(aws: str) -> None:
    with running("instrumented_app", {"AWS_STANDIN": aws, "TRACING": "off"}) as app:
        app.ask(url_event("/loop"))
        said = app.running.function.end()

    (line,) = [line for line in said.splitlines() if "asked for the loop" in line]
    assert "request-1" in line


def test_the_loop_that_an_app_finds_at_its_import_serves_it(aws: str) -> None:
    with running("instrumented_app", {"AWS_STANDIN": aws}) as app:
        answer = app.ask(url_event("/loop"))

    assert json.loads(answer.payload) == {"same": True}
