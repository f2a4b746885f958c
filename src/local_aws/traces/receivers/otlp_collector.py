"""The ADOT collector's OTLP/HTTP port, with a switch for each way in which it can fail.

Answers as the collector's receiver does (receiver/otlpreceiver/otlphttp.go of
https://github.com/open-telemetry/opentelemetry-collector), protobuf only.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import h11
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from local_aws.servers.connection_server import ConnectionServer
from local_aws.servers.http_connection import HttpConnection, bound_socket
from local_aws.servers.page_refusal import page_refusal
from local_aws.traces.receivers import otlp_answers
from local_aws.traces.receivers.otlp_answers import Answer
from local_aws.traces.receivers.otlp_behaviour import HEALTHY, Behaviour, Manner
from local_aws.traces.store import TraceStore

_MAX_BODY_BYTES = 20 * 1024 * 1024  # confighttp's default
_KEPT_REQUESTS = 1_000


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One POST. `taken` says whether the collector kept the spans, whatever it then answered.

    `received_at` is in epoch seconds, `request` None where the body could not be decoded.
    """

    received_at: float
    path: str
    headers: dict[str, str]
    body_bytes: int
    request: ExportTraceServiceRequest | None
    taken: bool

    @property
    def spans(self) -> list[Span]:
        return [] if self.request is None else _spans(self.request)


def _spans(request: ExportTraceServiceRequest) -> list[Span]:
    return [
        span
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


class OtlpCollector:
    """POST /v1/traces on loopback. Start and stop on an asyncio loop; restartable on its port.

    Spans that it takes go into `store`; `requests` holds every POST, taken or not, except those
    of browsers' pages.
    """

    def __init__(
        self,
        store: TraceStore,
        *,
        port: int = 0,
        behaviour: Behaviour = HEALTHY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._port = port
        self._behaviour = behaviour
        self._clock = clock
        self._bound: socket.socket | None = None
        self._server: ConnectionServer | None = None
        self.requests: deque[ReceivedRequest] = deque(maxlen=_KEPT_REQUESTS)

    @property
    def endpoint(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT; the port is known after `start`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def behaviour(self) -> Behaviour:
        return self._behaviour

    @property
    def spans(self) -> list[Span]:
        """Every span taken, in the order of arrival; one sent twice stands there twice."""
        return [span for r in list(self.requests) if r.taken for span in r.spans]

    async def start(self) -> None:
        """Binds the port, and listens unless the behaviour is to refuse. Raises OSError."""
        self._bind()
        if self._behaviour.manner is not Manner.REFUSE:
            await self._listen()

    async def stop(self) -> None:
        await self._stop_listening()
        if self._bound is not None:
            self._bound.close()
            self._bound = None

    async def switch(self, behaviour: Behaviour) -> None:
        """Changes how requests are answered from now on; those already held keep their answer.

        Refusing also cuts the connections that clients keep open.
        """
        refused = self._behaviour.manner is Manner.REFUSE
        self._behaviour = behaviour
        if behaviour.manner is Manner.REFUSE and not refused:
            await self._stop_listening()
            self._bind()
        elif refused and behaviour.manner is not Manner.REFUSE:
            await self._listen()

    def _bind(self) -> None:
        # Bound but not listening: connects are refused, and nobody else gets the port meanwhile.
        self._bound = bound_socket(self._port)
        self._port = self._bound.getsockname()[1]

    async def _listen(self) -> None:
        assert self._bound is not None
        self._server = ConnectionServer(self._serve)
        await self._server.start(self._bound)
        self._bound = None

    async def _stop_listening(self) -> None:
        if self._server is not None:
            await self._server.stop()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = HttpConnection(reader, writer)
        while (head := await http.next_request()) is not None:
            body = await http.read_body(max_bytes=_MAX_BODY_BYTES)
            if body is None or not await self._answer(self._receive(head, body), http):
                break
        await http.close()  # the last answer goes out first

    def _receive(self, head: h11.Request, body: bytes) -> Answer:
        headers = {k.decode().lower(): v.decode("latin-1") for k, v in head.headers}
        path = head.target.decode("latin-1")
        if (refusal := page_refusal(headers.get)) is not None:
            return Answer(refusal.status, "application/json", refusal.body)
        request, answer = otlp_answers.read(head.method.decode(), path, headers, body)
        behaviour = self._behaviour
        taken = request is not None and behaviour.takes_batch
        self.requests.append(
            ReceivedRequest(self._clock(), path, headers, len(body), request, taken)
        )
        if request is not None and taken:
            self._store.add_otel(request, size_bytes=len(body))
        if request is not None and behaviour.manner is Manner.STATUS:
            return otlp_answers.failure(behaviour.status, "switched to fail")
        return answer

    async def _answer(self, answer: Answer, http: HttpConnection) -> bool:
        """Writes the answer as `behaviour` says; False if the connection has ended."""
        behaviour = self._behaviour
        headers = [("Content-Type", answer.content_type)]
        encoded = http.encode_response(answer.status, headers, answer.body)
        await asyncio.sleep(behaviour.delay_seconds)
        match behaviour.manner:
            case Manner.SILENT:
                await http.peer_closes()
                return False
            case Manner.RESET:
                http.reset()
                return False
            case Manner.DIE_MID_ANSWER:
                await http.write(encoded[: len(encoded) // 2])
                return False
            case Manner.TRICKLE:
                for byte in encoded:
                    await http.write(bytes([byte]))
                    await asyncio.sleep(behaviour.byte_seconds)
            case _:
                await http.write(encoded)
        return True
