"""One export over real sockets: what each answer means, and that none takes longer than allowed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import parse_headers

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lambda_streaming.tracing.export.buffer import SpanBuffer
from lambda_streaming.tracing.export.one_try import AnyExporter, ExportReport, Outcome
from lambda_streaming.tracing.export.otlp import OtlpExporter
from local_aws.traces.receivers.otlp_behaviour import (
    DIES_MID_ANSWER,
    HEALTHY,
    REFUSED,
    RESET,
    SILENT,
    Behaviour,
    answers_status,
    delayed,
    trickles,
)
from tests.fakes.local import wait_until
from tests.fakes.receivers import CollectorThread, running_collector

BUDGET_SECONDS = 1.0
SLACK_SECONDS = 2.0
"""Room for a loaded machine; without a bound an export takes as long as the collector does."""


@pytest.fixture
def collector() -> Iterator[CollectorThread]:
    with running_collector() as running:
        yield running


def spans(count: int = 1, text: str = "") -> list[ReadableSpan]:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("test")
    for number in range(count):
        tracer.start_span(f"span{number}", attributes={"text": text}).end()
    return list(memory.get_finished_spans())


def export(
    endpoint: str, batch: list[ReadableSpan] | None = None, seconds: float = BUDGET_SECONDS
) -> ExportReport:
    return OtlpExporter(endpoint).export_within(batch or spans(), seconds)


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        pytest.param(HEALTHY, Outcome.DELIVERED, id="healthy"),
        pytest.param(delayed(0.1), Outcome.DELIVERED, id="slow-but-in-time"),
        pytest.param(REFUSED, Outcome.FAILED, id="refused"),
        pytest.param(RESET, Outcome.FAILED, id="reset-before-an-answer"),
        pytest.param(answers_status(429), Outcome.FAILED, id="429"),
        pytest.param(answers_status(400), Outcome.REJECTED, id="400"),
        pytest.param(answers_status(401), Outcome.REJECTED, id="401"),
        pytest.param(answers_status(404), Outcome.REJECTED, id="404"),
        pytest.param(answers_status(413), Outcome.REJECTED, id="413"),
        pytest.param(answers_status(307), Outcome.REJECTED, id="a-redirect"),
        pytest.param(answers_status(500), Outcome.FAILED, id="500"),
        pytest.param(answers_status(503), Outcome.FAILED, id="503"),
        pytest.param(SILENT, Outcome.UNCONFIRMED, id="silent"),
        pytest.param(delayed(30), Outcome.UNCONFIRMED, id="too-slow"),
        pytest.param(trickles(0.2), Outcome.UNCONFIRMED, id="a-byte-now-and-then"),
    ],
)
def test_every_answer_has_its_meaning_within_the_time_allowed(
    collector: CollectorThread, behaviour: Behaviour, outcome: Outcome
) -> None:
    collector.switch(behaviour)
    started = time.monotonic()

    assert export(collector.endpoint).outcome is outcome

    assert time.monotonic() - started < BUDGET_SECONDS + SLACK_SECONDS


def test_an_answer_that_breaks_off_behind_its_status_counts_by_the_status(
    collector: CollectorThread,
) -> None:
    collector.switch(DIES_MID_ANSWER)

    assert export(collector.endpoint).outcome is Outcome.DELIVERED
    assert len(collector.spans) == 1


PROTOBUF, JSON, HTML = "application/x-protobuf", "application/json", "text/html; charset=utf-8"


def partial(rejected: int) -> bytes:
    success = ExportTracePartialSuccess(rejected_spans=rejected, error_message="no")
    return bytes(ExportTraceServiceResponse(partial_success=success).SerializeToString())


@contextmanager
def answering(answer: bytes, *, and_hold: bool = False) -> Iterator[str]:
    """A server that gives one answer, whole or, when it holds, with its end missing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        done = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as stream:
                length = int(parse_headers(stream)["Content-Length"]) if stream.readline() else 0
                stream.read(length)
                connection.sendall(answer)
                if and_hold:
                    done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        done.set()
        thread.join()


def head(content_type: str | None, length: int) -> bytes:
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"HTTP/1.1 200 OK\r\n{kind}Content-Length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("content_type", "body", "outcome", "rejected", "problem"),
    [
        (PROTOBUF, b"", Outcome.DELIVERED, 0, None),
        (PROTOBUF, partial(0), Outcome.DELIVERED, 0, None),
        (PROTOBUF, b"\xff no message", Outcome.DELIVERED, 0, None),
        (PROTOBUF, partial(2), Outcome.DELIVERED, 2, "rejected spans"),
        (PROTOBUF, partial(99), Outcome.REJECTED, 3, "rejected spans"),
        (JSON, b"{}", Outcome.DELIVERED, 0, None),
        (JSON, b'{"partialSuccess":{"rejectedSpans":"1"}}', Outcome.DELIVERED, 1, "rejected spans"),
        (JSON, b'{"partialSuccess":null}', Outcome.DELIVERED, 0, None),
        (JSON, b'{"partialSuccess":{"rejectedSpans":1e999}}', Outcome.DELIVERED, 0, None),
        (JSON, b"[" * 16_000, Outcome.DELIVERED, 0, None),
        (None, b"", Outcome.DELIVERED, 0, None),
        (None, b"hello", Outcome.REJECTED, 3, "not OTLP"),
        (HTML, b"<html>", Outcome.REJECTED, 3, "not OTLP"),
        (HTML, b"", Outcome.REJECTED, 3, "not OTLP"),
    ],
)
def test_what_a_200_says_besides(
    content_type: str | None, body: bytes, outcome: Outcome, rejected: int, problem: str | None
) -> None:
    """Spans that were not wanted, or that no collector is there at all."""
    with answering(head(content_type, len(body)) + body) as endpoint:
        report = export(endpoint, spans(3), 5)

        assert report == ExportReport(outcome, rejected, problem)


def test_the_rest_of_an_answer_has_no_more_time_than_its_beginning() -> None:
    before = threading.active_count()
    with answering(head(PROTOBUF, 100) + partial(1), and_hold=True) as endpoint:
        started = time.monotonic()

        assert export(endpoint, spans(3)).outcome is Outcome.DELIVERED

        assert time.monotonic() - started < BUDGET_SECONDS + SLACK_SECONDS
        wait_until(lambda: threading.active_count() <= before + 1, "only the server's is left")


def test_the_spans_arrive_as_they_were(collector: CollectorThread) -> None:
    batch = spans(3, text="é\u2028")

    export(collector.endpoint, batch, 5)

    (request,) = collector.requests
    assert request.path == "/v1/traces"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert [span.name for span in collector.spans] == ["span0", "span1", "span2"]
    assert [span.attributes[0].value.string_value for span in collector.spans] == ["é\u2028"] * 3


def test_an_endpoint_may_have_a_path(collector: CollectorThread) -> None:
    export(collector.endpoint + "/prefix/")

    assert collector.requests[0].path == "/prefix/v1/traces"


def test_each_export_has_a_connection_of_its_own(collector: CollectorThread) -> None:
    """A kept one may be dead after the environment was frozen, or the collector restarted."""
    exporter = OtlpExporter(collector.endpoint)
    assert exporter.export_within(spans(), 5).outcome is Outcome.DELIVERED
    collector.stop()
    assert exporter.export_within(spans(), 5).outcome is Outcome.FAILED
    collector.start()

    assert exporter.export_within(spans(), 5).outcome is Outcome.DELIVERED


def test_a_batch_that_could_not_be_written_whole_has_failed() -> None:
    """Nobody reads: the collector has at most a part, so trying again doubles nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        large = spans(200, text="x" * 60_000)

        assert export(endpoint, large).outcome is Outcome.FAILED


def test_a_collector_that_comes_back_gets_what_it_missed_once(collector: CollectorThread) -> None:
    buffer = SpanBuffer(lambda: OtlpExporter(collector.endpoint), flush_seconds=5)
    first, second = spans(2), spans(1)
    collector.switch(REFUSED)
    for span in first:
        buffer.add(span)
    buffer.flush()
    collector.switch(HEALTHY)
    for span in second:
        buffer.add(span)
    buffer.flush()

    assert len(collector.requests) == 1
    assert len(collector.spans) == 3
    assert buffer.take_counts() == (0, 1)


def test_what_a_silent_collector_took_is_not_sent_again(collector: CollectorThread) -> None:
    buffer = SpanBuffer(lambda: OtlpExporter(collector.endpoint), flush_seconds=BUDGET_SECONDS)
    collector.switch(SILENT)
    for span in spans(2):
        buffer.add(span)
    buffer.flush()
    collector.switch(HEALTHY)
    buffer.flush()

    assert len(collector.requests) == 1
    assert buffer.last_outcome is Outcome.UNCONFIRMED


# OpenTelemetry's interface


def test_it_is_an_exporter_for_anybody(collector: CollectorThread) -> None:
    exporter = OtlpExporter(collector.endpoint, BUDGET_SECONDS)
    assert exporter.export(spans()) is SpanExportResult.SUCCESS
    collector.switch(answers_status(503))
    assert exporter.export(spans()) is SpanExportResult.FAILURE

    assert len(collector.requests) == 2, "one try each"


def test_the_stock_exporters_variables_hold(
    collector: CollectorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "tenant=blue")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")

    assert export(collector.endpoint, seconds=5).outcome is Outcome.DELIVERED

    (request,) = collector.requests
    assert request.headers["tenant"] == "blue"
    assert request.headers["content-encoding"] == "gzip"
    assert len(collector.spans) == 1


def test_an_apps_own_exporter_may_stand_in_its_place(collector: CollectorThread) -> None:
    """The stock one, with its retries: they end with the time allowed."""
    stock = OTLPSpanExporter(endpoint=f"{collector.endpoint}/v1/traces", timeout=4)
    bounded = AnyExporter(stock)

    assert bounded.export_within(spans(), 5).outcome is Outcome.DELIVERED
    collector.switch(answers_status(500))
    assert bounded.export_within(spans(), 5).outcome is Outcome.FAILED
    collector.switch(SILENT)
    started = time.monotonic()
    assert bounded.export_within(spans(), 0.05).outcome is Outcome.UNCONFIRMED
    assert time.monotonic() - started < SLACK_SECONDS
