"""One OTLP/HTTP export: encode, POST, and what the answer (or its absence) means."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from lambdas.sse_streaming.tracing.delivery import Outcome

_TRACES_PATH = "/v1/traces"


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
        """Why the latest post was not delivered: `HTTP 500` or an exception's name."""

    def post(self, spans: Sequence[ReadableSpan], timeout_seconds: float) -> Outcome:
        deadline = time.monotonic() + timeout_seconds
        body = encode_spans(spans).SerializeToString()
        remaining = max(deadline - time.monotonic(), 0.001)
        exchange = _Exchange(self._connection(remaining), self._path, body)
        thread = threading.Thread(target=exchange.run, name="otlp-post", daemon=True)
        thread.start()
        thread.join(max(deadline - time.monotonic(), 0.001))
        outcome = exchange.outcome_or_abort()
        self.last_problem = exchange.problem
        return outcome

    def _connection(self, timeout_seconds: float) -> http.client.HTTPConnection:
        if self._is_tls:
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout_seconds)
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout_seconds)


class _Exchange:
    """A POST under way. The batch counts as handed over once it was written whole."""

    def __init__(self, connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
        self._connection = connection
        self._path = path
        self._body = body
        self._was_written = False
        self._is_aborted = False
        self._outcome: Outcome | None = None
        self.problem: str | None = None

    def run(self) -> None:
        try:
            self._connection.connect()
            if self._is_aborted:
                return  # given up while it connected: the batch is kept, and goes out later
            self._connection.request(
                "POST", self._path, self._body, {"Content-Type": "application/x-protobuf"}
            )
            self._was_written = True
            response = self._connection.getresponse()
            is_taken = 200 <= response.status < 300
            self.problem = None if is_taken else f"HTTP {response.status}"
            # The body is not read: it says nothing, and a slow one would cost the whole budget.
            self._outcome = Outcome.DELIVERED if is_taken else Outcome.FAILED
        except TimeoutError:
            self._outcome = self._outcome or self._without_answer()
        except (OSError, http.client.HTTPException) as error:
            # Refused, unreachable, or closed before an answer: the collector has nothing.
            self.problem = self.problem or type(error).__name__
            self._outcome = self._outcome or Outcome.FAILED
        finally:
            self._connection.close()

    def outcome_or_abort(self) -> Outcome:
        self._is_aborted = True
        outcome = self._outcome
        if outcome is None:
            outcome = self._without_answer()
            if (sock := self._connection.sock) is not None:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it ended by itself in the same moment
        return outcome

    def _without_answer(self) -> Outcome:
        return Outcome.UNCONFIRMED if self._was_written else Outcome.FAILED
