"""One OTLP/HTTP export: encode, POST, and what the answer (or its absence) means."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan

from lambdas.sse_streaming.tracing.delivery import Outcome

_TRACES_PATH = "/v1/traces"
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_MAX_ANSWER_BYTES = 16_384
"""An answer counts a few numbers and gives a reason; a longer one is no answer."""


class OtlpWire:
    """POSTs to the collector, a connection per export: after a freeze a kept one may be dead.

    http.client bounds single socket operations only, so a collector that answers a byte a second
    would hold a flush for minutes; the exchange runs on a thread whose socket is closed when the
    time is up.
    """

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._path = parts.path.rstrip("/") + _TRACES_PATH
        self.last_problem: str | None = None
        """Why the latest post was not delivered whole: `HTTP 500`, an exception's name, `not OTLP`
        or `rejected spans`."""
        self.rejected_spans = 0
        """How many spans of the latest post the collector took and would not have."""

    def post(self, spans: Sequence[ReadableSpan], timeout_seconds: float) -> Outcome:
        deadline = time.monotonic() + timeout_seconds
        body = encode_spans(spans).SerializeToString()
        remaining = max(deadline - time.monotonic(), 0.001)
        exchange = _Exchange(self._connection(remaining), self._path, body, len(spans))
        thread = threading.Thread(target=exchange.run, name="otlp-post", daemon=True)
        thread.start()
        thread.join(max(deadline - time.monotonic(), 0.001))
        outcome = exchange.outcome_or_abort()
        self.last_problem, self.rejected_spans = exchange.problem, exchange.rejected_spans
        return outcome

    def _connection(self, timeout_seconds: float) -> http.client.HTTPConnection:
        if self._is_tls:
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout_seconds)
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout_seconds)


class _Exchange:
    """A POST under way. The batch counts as handed over once it was written whole."""

    def __init__(
        self, connection: http.client.HTTPConnection, path: str, body: bytes, span_count: int
    ) -> None:
        self._connection = connection
        self._socket: socket.socket | None = None
        self._path = path
        self._body = body
        self._span_count = span_count
        self._was_written = False
        self._is_aborted = False
        self._outcome: Outcome | None = None
        self.problem: str | None = None
        self.rejected_spans = 0

    def run(self) -> None:
        try:
            self._connection.connect()
            # Kept: http.client lets go of it before the last byte of an answer is read.
            self._socket = self._connection.sock
            if self._is_aborted:
                return  # given up while it connected: the batch is kept, and goes out later
            self._connection.request("POST", self._path, self._body, {"Content-Type": _PROTOBUF})
            self._was_written = True
            response = self._connection.getresponse()
            self._outcome = _outcome_of(response.status)
            if self._outcome is Outcome.DELIVERED:
                self._read_answer(response)
            else:
                self.problem = f"HTTP {response.status}"
        except TimeoutError:
            self._outcome = self._outcome or self._without_answer()
        except (OSError, http.client.HTTPException) as error:
            if self._outcome is None:
                # Refused, unreachable, or closed before an answer: the collector has nothing.
                self.problem = type(error).__name__
                self._outcome = Outcome.FAILED
        finally:
            self._connection.close()

    def _read_answer(self, response: http.client.HTTPResponse) -> None:
        """What a 2xx says besides. One that does not come whole, or in time, counts as said."""
        kind = response.getheader("Content-Type", "").partition(";")[0].strip().lower()
        is_otlp = kind in (_PROTOBUF, _JSON)
        # Without a length, what came of the head may be all that came of the answer.
        if kind and not is_otlp and (response.chunked or response.length is not None):
            self._reject(self._span_count, "not OTLP")
            return
        body = response.read(_MAX_ANSWER_BYTES)
        if is_otlp and (count := _rejected_spans(kind, body)):
            self._reject(min(count, self._span_count), "rejected spans")
        elif body and not is_otlp:
            self._reject(self._span_count, "not OTLP")

    def _reject(self, count: int, problem: str) -> None:
        self.rejected_spans, self.problem = count, problem
        if count == self._span_count:
            self._outcome = Outcome.REJECTED

    def outcome_or_abort(self) -> Outcome:
        self._is_aborted = True
        outcome = self._outcome or self._without_answer()
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself
        return outcome

    def _without_answer(self) -> Outcome:
        return Outcome.UNCONFIRMED if self._was_written else Outcome.FAILED


def _outcome_of(status: int) -> Outcome:
    """By the rules of OTLP/HTTP and of the exporter behind the receiver, which answers 500 for what
    X-Ray throttles too (opentelemetry.io/docs/specs/otlp, "Failures")."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    return Outcome.FAILED if status == 429 or status >= 500 else Outcome.REJECTED


def _rejected_spans(kind: str, body: bytes) -> int:
    """OTLP's partial success; 0 in an answer that says nothing, or nothing readable."""
    try:
        if kind == _PROTOBUF:
            answer = ExportTraceServiceResponse.FromString(body)
            return max(0, int(answer.partial_success.rejected_spans))
        # A 64-bit number is text in protobuf's JSON.
        return max(0, int(json.loads(body)["partialSuccess"]["rejectedSpans"]))
    except (DecodeError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return 0
