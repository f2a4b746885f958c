"""OpenTelemetry's OTLP/HTTP exporter, which tries each batch once.

`OTLPSpanExporter` encodes the spans and knows endpoint, headers and compression; its transport is
ours. The stock one retries inside an export, cannot be stopped while an answer trickles in, and
hides why an export failed. The argument `_transport` is private: requirements.txt pins the
version, and tests/wire/test_otlp_wire.py fails when it changes.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.exporter.http.transport._base import BaseHTTPResult, BaseHTTPTransport
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from lambda_streaming.tracing.aws_requests import unrecorded
from lambda_streaming.tracing.export.one_try import ExportReport, Outcome

_TRACES_PATH = "/v1/traces"
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_MAX_ANSWER_BYTES = 16_384
"""OTLP responses are tiny; read no more than this."""
_NEVER_REACHED_SECONDS = 3600
"""The stock exporter's own timeout. Ours is given with each export and is far shorter."""


class OtlpExporter(SpanExporter):
    """`endpoint` is the collector's, without `/v1/traces`."""

    def __init__(self, endpoint: str, export_seconds: float = 1.5) -> None:
        self._export_seconds = export_seconds
        self._transport = _Transport()
        self._encoder = OTLPSpanExporter(
            endpoint=endpoint.rstrip("/") + _TRACES_PATH,
            timeout=_NEVER_REACHED_SECONDS,
            _transport=self._transport,
        )

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        outcome = self.export_within(spans, self._export_seconds).outcome
        is_taken = outcome in (Outcome.DELIVERED, Outcome.UNCONFIRMED)
        return SpanExportResult.SUCCESS if is_taken else SpanExportResult.FAILURE

    def export_within(self, spans: Sequence[ReadableSpan], timeout_seconds: float) -> ExportReport:
        deadline = time.monotonic() + timeout_seconds
        exchange = _Exchange(len(spans), deadline)

        def run() -> None:
            with unrecorded():
                self._transport.use(exchange)
                self._encoder.export(spans)

        thread = threading.Thread(target=run, name="otlp-export", daemon=True)
        thread.start()
        thread.join(max(deadline - time.monotonic(), 0.001))
        return exchange.finished_or_aborted()

    def shutdown(self) -> None:
        self._encoder.shutdown()  # type: ignore[no-untyped-call]


class _Transport(BaseHTTPTransport):
    """Hands each request to the exchange of the thread that makes it, which keeps the result.
    Reports success always, so that the stock exporter never retries."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def use(self, exchange: _Exchange) -> None:
        self._of_thread.exchange = exchange

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
        data: bytes | None = None,
    ) -> BaseHTTPResult:
        self._of_thread.exchange.post(url, headers or {}, data or b"")
        return _Final(status_code=200, reason="tried once")

    def is_connection_error(self, exception: Exception | None) -> bool:
        return False

    def close(self) -> None: ...


class _Final(BaseHTTPResult):
    def content(self) -> bytes:
        return b""

    def headers(self) -> Mapping[str, str]:
        return {}


class _Exchange:
    """One POST on a connection of its own: after a freeze a kept one may be dead.

    A socket's timeout bounds single operations, so a collector that answers a byte a second would
    hold a flush for minutes. That is why the exchange can be aborted from another thread. A batch
    counts as handed over once it was written whole.
    """

    def __init__(self, span_count: int, deadline: float) -> None:
        self._span_count = span_count
        self._deadline = deadline
        self._socket: socket.socket | None = None
        self._was_written = False
        self._is_aborted = False
        self._outcome: Outcome | None = None
        self._problem: str | None = None
        self._rejected_spans = 0

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        connect = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
        remaining = max(self._deadline - time.monotonic(), 0.001)
        connection = connect(parts.hostname or "localhost", parts.port, timeout=remaining)
        try:
            connection.connect()
            # Kept: http.client lets go of it before the last byte of an answer is read.
            self._socket = connection.sock
            if self._is_aborted:
                return  # the time was over before it connected: the batch counts as failed
            connection.request("POST", parts.path, body, dict(headers))
            self._was_written = True
            response = connection.getresponse()
            self._outcome = _outcome_of(response.status)
            if self._outcome is Outcome.DELIVERED:
                self._read_answer(response)
            else:
                self._problem = f"HTTP {response.status}"
        except TimeoutError:
            self._outcome = self._outcome or self._without_answer()
        except (OSError, http.client.HTTPException) as error:
            if self._outcome is None:
                # Refused, unreachable, or closed before an answer: the collector has nothing.
                self._problem = type(error).__name__
                self._outcome = Outcome.FAILED
        finally:
            connection.close()

    def _read_answer(self, response: http.client.HTTPResponse) -> None:
        """The rejected spans of a 2xx. A body that breaks off, or is late, counts as empty."""
        kind = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
        is_otlp = kind in (_PROTOBUF, _JSON)
        # Without a length or chunks, the head itself may have been cut: that is no proof.
        if kind and not is_otlp and (response.chunked or response.length is not None):
            self._reject(self._span_count, "not OTLP")
            return
        body = response.read(_MAX_ANSWER_BYTES)
        if is_otlp and (count := _rejected_spans(kind, body)):
            self._reject(min(count, self._span_count), "rejected spans")
        elif body and not is_otlp:
            self._reject(self._span_count, "not OTLP")

    def _reject(self, count: int, problem: str) -> None:
        self._rejected_spans, self._problem = count, problem
        if count == self._span_count:
            self._outcome = Outcome.REJECTED

    def finished_or_aborted(self) -> ExportReport:
        self._is_aborted = True
        outcome = self._outcome or self._without_answer()
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself
        return ExportReport(outcome, self._rejected_spans, self._problem)

    def _without_answer(self) -> Outcome:
        return Outcome.UNCONFIRMED if self._was_written else Outcome.FAILED


def _outcome_of(status: int) -> Outcome:
    """By the rules of OTLP/HTTP and of the collector's exporter, which answers 500 for X-Ray's
    throttles too (opentelemetry.io/docs/specs/otlp, "Failures")."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    return Outcome.FAILED if status == 429 or status >= 500 else Outcome.REJECTED


def _rejected_spans(kind: str, body: bytes) -> int:
    """OTLP's partial success; 0 in an answer that is empty or unreadable."""
    try:
        if kind == _PROTOBUF:
            answer = ExportTraceServiceResponse.FromString(body)
            return max(0, int(answer.partial_success.rejected_spans))
        # A 64-bit number is text in protobuf's JSON.
        return max(0, int(json.loads(body)["partialSuccess"]["rejectedSpans"]))
    except (DecodeError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return 0
