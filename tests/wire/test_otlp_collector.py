"""The collector stand-in over real sockets, with the real OTLP exporter as its client."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from local_aws.traces.receivers.otlp_behaviour import (
    DIES_MID_ANSWER,
    HEALTHY,
    REFUSED,
    RESET,
    SILENT,
    answers_status,
    delayed,
    trickles,
)
from local_aws.traces.receivers.otlp_collector import OtlpCollector
from local_aws.traces.store import TraceStore
from tests.fakes.local import wait_until
from tests.fakes.receivers import CollectorThread, running_collector

EXPORT_SECONDS = 0.3
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture
def store() -> TraceStore:
    return TraceStore()


@pytest.fixture
def collector(store: TraceStore) -> Iterator[CollectorThread]:
    with running_collector(store) as running:
        yield running


def span(name: str = "dynamodb_poll") -> ReadableSpan:
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    provider.get_tracer("test").start_span(name).end()
    return memory.get_finished_spans()[0]


def exporter(
    collector: CollectorThread, *, compression: Compression = Compression.NoCompression
) -> OTLPSpanExporter:
    return OTLPSpanExporter(
        endpoint=f"{collector.endpoint}/v1/traces", timeout=EXPORT_SECONDS, compression=compression
    )


def encoded(name: str = "poll") -> bytes:
    request = ExportTraceServiceRequest()
    added = request.resource_spans.add().scope_spans.add().spans.add()
    added.trace_id, added.span_id, added.name = bytes(range(16)), bytes(range(8)), name
    return bytes(request.SerializeToString())


def post(collector: CollectorThread, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(f"{collector.endpoint}/v1/traces", content=body, headers=headers)


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_takes_what_the_real_exporter_sends(
    collector: CollectorThread, store: TraceStore, compression: Compression
) -> None:
    sent = span()
    assert exporter(collector, compression=compression).export([sent]) is SpanExportResult.SUCCESS
    assert [s.name for s in collector.spans] == ["dynamodb_poll"]
    assert sent.context is not None
    trace = store.trace(f"{sent.context.trace_id:032x}")
    assert trace is not None
    assert [r["name"] for r in trace["records"]] == ["dynamodb_poll"]
    (request,) = collector.requests
    assert request.taken
    assert request.body_bytes > 0
    assert request.received_at <= time.time()


def test_answers_an_export_as_the_receiver_does(collector: CollectorThread) -> None:
    answer = post(collector, encoded(), PROTOBUF)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert answer.content == b""


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"not protobuf", PROTOBUF, 400),
        (b"not gzip", PROTOBUF | {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"not protobuf", mtime=0), PROTOBUF | {"Content-Encoding": "gzip"}, 400),
        (b"", PROTOBUF | {"Content-Encoding": "snappy"}, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
    ],
)
def test_refuses_what_the_receiver_refuses(
    collector: CollectorThread, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert post(collector, body, headers).status_code == status
    assert collector.spans == []
    assert [r.taken for r in collector.requests] == [False]


def test_knows_one_path_and_one_method(collector: CollectorThread) -> None:
    assert httpx.get(f"{collector.endpoint}/v1/traces").status_code == 405
    assert httpx.post(f"{collector.endpoint}/v1/metrics").status_code == 404


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_status_says_no_and_takes_nothing(collector: CollectorThread, status: int) -> None:
    collector.switch(answers_status(status))
    assert post(collector, encoded(), PROTOBUF).status_code == status
    assert collector.spans == []
    assert len(collector.requests) == 1


@pytest.mark.parametrize(
    ("behaviour", "takes"),
    [
        (SILENT, True),
        (delayed(30), True),
        (trickles(), True),
        (DIES_MID_ANSWER, True),
        (RESET, False),
    ],
    ids=["silent", "delayed", "trickles", "dies mid-answer", "reset"],
)
def test_a_broken_collector_gives_no_answer_in_time(
    collector: CollectorThread, behaviour: object, takes: bool
) -> None:
    collector.switch(behaviour)  # type: ignore[arg-type]
    with pytest.raises(httpx.TransportError):
        httpx.post(
            f"{collector.endpoint}/v1/traces",
            content=encoded(),
            headers=PROTOBUF,
            timeout=EXPORT_SECONDS,
        )
    assert len(collector.spans) == takes
    assert [r.taken for r in collector.requests] == [takes]


def test_a_short_delay_is_only_late(collector: CollectorThread) -> None:
    collector.switch(delayed(0.05))
    before = time.monotonic()
    assert post(collector, encoded(), PROTOBUF).status_code == 200
    assert time.monotonic() - before >= 0.05


def test_a_trickled_answer_arrives_whole(collector: CollectorThread) -> None:
    collector.switch(trickles(byte_seconds=0.0005))
    assert post(collector, encoded(), PROTOBUF).status_code == 200


def test_a_refusing_collector_keeps_its_port_and_comes_back(collector: CollectorThread) -> None:
    host, port = collector.endpoint.removeprefix("http://").split(":")
    with httpx.Client() as client:
        target = f"{collector.endpoint}/v1/traces"
        assert client.post(target, content=encoded(), headers=PROTOBUF).status_code == 200
        collector.switch(REFUSED)
        with pytest.raises(httpx.TransportError):
            client.post(target, content=encoded(), headers=PROTOBUF)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=1)
        collector.switch(HEALTHY)
        assert client.post(target, content=encoded(), headers=PROTOBUF).status_code == 200
    assert len(collector.requests) == 2


def test_restarts_on_the_same_port(collector: CollectorThread) -> None:
    before = collector.endpoint
    collector.stop()
    collector.start()
    assert collector.endpoint == before
    assert post(collector, encoded(), PROTOBUF).status_code == 200


def test_one_connection_carries_many_exports(collector: CollectorThread) -> None:
    host, port = collector.endpoint.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=1)
    for name in ("a", "b"):
        connection.request("POST", "/v1/traces", encoded(name), PROTOBUF)
        answer = connection.getresponse()
        assert answer.read() == b""
    connection.close()
    assert [s.name for s in collector.spans] == ["a", "b"]


def test_can_begin_refusing() -> None:
    with running_collector(behaviour=REFUSED) as collector:
        with pytest.raises(httpx.ConnectError):
            post(collector, encoded(), PROTOBUF)
        collector.switch(HEALTHY)
        assert post(collector, encoded(), PROTOBUF).status_code == 200


async def test_runs_on_the_callers_loop(store: TraceStore) -> None:
    collector = OtlpCollector(store)
    await collector.start()
    try:
        answer = await asyncio.to_thread(
            httpx.post, f"{collector.endpoint}/v1/traces", content=encoded(), headers=PROTOBUF
        )
        assert answer.status_code == 200
    finally:
        await collector.stop()


def test_a_stop_ends_requests_that_are_held() -> None:
    with running_collector(behaviour=SILENT) as collector:
        failures: list[Exception] = []

        def ask() -> None:
            try:
                post(collector, encoded(), PROTOBUF)
            except httpx.TransportError as error:
                failures.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: collector.requests, "the request arrives", seconds=5)
        collector.stop()
        asking.join(5)
        assert len(failures) == 1
        collector.start()
