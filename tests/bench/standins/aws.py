"""DynamoDB, CloudWatch, an OTLP collector and an X-Ray daemon that answer at once, in one process.

Started as a program; prints its HTTP port and its UDP port and serves until its standard
input ends. The tables are always empty, but a backfill of positive items gets as many as it asks
for. `GET /spans` says how many spans came since it was asked last.

A real engine (tests/fakes/dynamodb.py) would take CPU time from what is measured beside it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.bench.standins.items import item


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    exports: list[bytes] = []  # noqa: RUF012 (one server per process)
    numbers = count()

    def do_GET(self) -> None:
        taken, self.exports[:] = self.exports[:], []
        spans = sum(
            len(scope.spans)
            for body in taken
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
        )
        self._send("application/json", json.dumps({"spans": spans}).encode())

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # the function was ended in the middle of a request
        if self.path.endswith("/v1/traces"):
            self.exports.append(body)
            self._send("application/x-protobuf", b"")
            return
        operation = self.headers["x-amz-target"].rpartition(".")[2]
        answer = self._dynamodb(operation, body) if operation != "PutMetricData" else {}
        self._send("application/x-amz-json-1.0", json.dumps(answer).encode())

    def _dynamodb(self, operation: str, body: bytes) -> dict[str, Any]:
        answer: dict[str, Any] = {"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 0.5}}
        if operation == "Query":
            items = _items(json.loads(body), self.numbers)
            return answer | {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        return answer

    def _send(self, content_type: str, body: bytes) -> None:
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
            "x-amzn-RequestId: BENCHBENCHBENCHBENCHBENCHBENCHBENCHBENCHBENCHBENCHBE\r\n\r\n"
        )
        self.wfile.write(head.encode() + body)

    def log_message(self, format: str, *args: Any) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A function that is ended resets its connections."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _items(query: dict[str, Any], numbers: count[int]) -> list[dict[str, Any]]:
    """The newest positive ones, when the newest are asked for: that is what a backfill does."""
    is_backfill = "IndexName" in query and query.get("ScanIndexForward") is False
    values = [value.get("S") for value in query["ExpressionAttributeValues"].values()]
    if not is_backfill or "positive" not in values:
        return []
    now_ms = time.time_ns() // 1_000_000
    return [item(next(numbers), now_ms - age) for age in range(query["Limit"])]


def main() -> None:
    server = _Server(("127.0.0.1", 0), _Answers)
    daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    daemon.bind(("127.0.0.1", 0))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port} {daemon.getsockname()[1]}\n")
    sys.stdout.flush()
    while os.read(sys.stdin.fileno(), 1024):
        pass


if __name__ == "__main__":
    main()
