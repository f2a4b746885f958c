"""Run as a program: AWS requests of both phases, and who recorded them.

The X-Ray SDK finds out at import that it is in Lambda, and its patches are global to the process.
Argument: JSON {"header", "disabled", "patches"}; patches: what Powertools patches (botocore,
all, none). Prints JSON: the X-Ray documents of each phase, the requests
that the streaming phase's steps saw, its CLIENT spans, the trace headers that went to AWS, and
what a handler records whose requests fail.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STEP_REQUESTS = 1 + 8 + 4 + 3 + 1 + 1
STRAY_REQUESTS = 2
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE"
_SIGNATURE_MESSAGE = (
    "The request signature we calculated does not match the signature you provided."
    f"\n\nThe Canonical String for this request should have been\n'POST\n/\n\n"
    f"x-amz-security-token:{TOKEN}\n'"
)
_REFUSALS = {
    "DeleteItem": (400, "ThrottlingException", "slow"),
    "PutItem": (400, "ConditionalCheckFailedException", "The conditional request failed"),
    "UpdateItem": (403, "InvalidSignatureException", _SIGNATURE_MESSAGE),
    "Scan": (500, "InternalServerError", "failed"),
}


class _DynamoDb(BaseHTTPRequestHandler):
    """Answers every operation: queries in three pages, refusals as listed, ListTables never."""

    protocol_version = "HTTP/1.1"
    trace_headers: list[str | None] = []  # noqa: RUF012 (one server per process)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/traces":
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()
            return
        body = json.loads(content)
        self.trace_headers.append(self.headers["x-amzn-trace-id"])
        operation = self.headers["x-amz-target"].rpartition(".")[2]
        status, answer = 200, {}
        if operation == "Query":
            page = int(body.get("ExclusiveStartKey", {}).get("pk", {}).get("S", "0"))
            answer = {"Items": [], "Count": 0}
            if page < 2:
                answer["LastEvaluatedKey"] = {"pk": {"S": str(page + 1)}}
        elif operation in _REFUSALS:
            status, code, message = _REFUSALS[operation]
            answer = {"__type": f"com.amazonaws#{code}", "message": message}
        elif operation == "ListTables":
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(content)))
        self.send_header("x-amzn-requestid", "REQUESTID")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None: ...


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    """The stream connects from many threads at once; five waiting is socketserver's default."""


def _documents(daemon: socket.socket) -> list[dict[str, Any]]:
    """What the recorder has sent so far."""
    found: list[dict[str, Any]] = []
    while True:
        try:
            datagram = daemon.recv(65_535)
        except BlockingIOError:
            return found
        found.append(json.loads(datagram.partition(b"\n")[2]))


def main(header: str | None, *, disabled: bool, patches: str) -> dict[str, Any]:
    daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    daemon.bind(("127.0.0.1", 0))
    daemon.setblocking(False)
    server = _Server(("127.0.0.1", 0), _DynamoDb)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_LAMBDA_FUNCTION_NAME": "sse-streaming",
        "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "TEST",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }

    import boto3
    from aws_lambda_powertools import Tracer
    from aws_xray_sdk.core import patch, xray_recorder
    from botocore.config import Config
    from opentelemetry.trace import SpanKind

    from lambda_streaming.tracing.aws_requests import record_aws_requests
    from lambda_streaming.tracing.export.otlp import OtlpExporter
    from lambda_streaming.tracing.header import parse_trace_header
    from lambda_streaming.tracing.invocations import Invocations
    from lambda_streaming.tracing.step import Step
    from lambda_streaming.tracing.xray_context import XRayContext
    from lambdas.sse_streaming.aws.clients import AwsClients, aws_failures
    from lambdas.sse_streaming.aws.errors import AwsThrottled
    from tests.fakes.spans import TracingWorld, end
    from tests.fakes.streams import make_settings

    read = parse_trace_header(header)
    if (normalised := read.normalised()) is not None:
        os.environ["_X_AMZN_TRACE_ID"] = normalised  # botocore reads Lineage there
    invocations = Invocations()
    invocations.begin("request", header)
    xray_recorder.configure(context=XRayContext(invocations))
    if patches == "none":
        os.environ["POWERTOOLS_TRACE_DISABLED"] = "true"
    modules = ["botocore"] if patches == "botocore" else None
    tracer = Tracer(service="sse-streaming", patch_modules=modules)
    record_aws_requests(xray_recorder, lambda: 1)
    client = AwsClients(os.environ, 5).make("dynamodb")
    not_ours = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
    key = {"Key": {"pk": {"S": "a"}}, "TableName": "t"}

    def call() -> None:
        client.get_item(**key)

    def handler_of(work: Callable[[], object]) -> None:
        @tracer.capture_lambda_handler(capture_response=False)
        def handler(event: object, context: object) -> None:
            work()

        handler({}, None)

    handler_of(call)
    handler_documents = _documents(daemon)
    handler_requests = len(_DynamoDb.trace_headers)

    world = TracingWorld(make_settings(OTEL_SDK_DISABLED="true" if disabled else "false"))
    trace = world.start(read)
    steps: list[Step] = []

    def in_step(work: Callable[[], None]) -> None:
        with trace.step("dynamodb_poll") as step:
            steps.append(step)
            work()

    async def in_thread_of_step(work: Callable[[], None]) -> None:
        async with trace.step("dynamodb_poll") as step:
            steps.append(step)
            await step.in_thread(work)

    def paginate() -> None:
        pages = client.get_paginator("query").paginate(
            TableName="t", KeyConditionExpression="pk = :a"
        )
        assert sum(1 for _ in pages) == 3

    def throttled() -> None:
        try:
            with aws_failures():
                client.delete_item(**key)
        except AwsThrottled:
            pass

    async def stream() -> None:
        loop = asyncio.get_running_loop()
        in_step(call)
        with ThreadPoolExecutor(8) as pool:
            await asyncio.gather(
                *(loop.run_in_executor(pool, in_step, call) for _ in range(8)),
                *(asyncio.to_thread(in_step, call) for _ in range(4)),
                in_thread_of_step(paginate),
                in_thread_of_step(throttled),
                in_thread_of_step(lambda: not_ours.get_item(**key)),
            )

    async def stream_without_steps() -> None:
        trace.enter_streaming_phase()
        call()
        await asyncio.to_thread(call)

    asyncio.run(stream())
    asyncio.run(stream_without_steps())
    end(trace)
    spans = world.flushed()
    answer = {
        "handler_documents": handler_documents,
        "handler_requests": handler_requests,
        "stream_documents": _documents(daemon),
        "stream_requests": [
            [request.operation, request.status, request.table, request.request_id]
            for one in steps
            for request in one.requests
        ],
        "client_spans": sum(span.kind is SpanKind.CLIENT for span in spans),
        "spans": len(spans),
        "stream_trace_headers": _DynamoDb.trace_headers[handler_requests:],
    }
    call()
    answer["afterwards"] = [document["name"] for document in _documents(daemon)]
    if patches == "all":
        patch(["httplib"])  # on request only: it sees the requests of other patched libraries too
    exporter = OtlpExporter(f"http://127.0.0.1:{server.server_port}")
    answer["export"] = exporter.export_within(spans, 5).outcome.value if spans else None
    answer["export_documents"] = _documents(daemon)
    answer["failures"] = _failures(client, handler_of, lambda: _documents(daemon))
    server.shutdown()
    return answer


def _failures(
    client: Any, handler_of: Callable[[Callable[[], object]], None], sent: Callable[[], Any]
) -> dict[str, Any]:
    """By operation: the request's document and the handler's, and what the failure says."""
    from lambdas.sse_streaming.aws.clients import aws_failures

    table, key = {"TableName": "t"}, {"Key": {"pk": {"S": "a"}}}
    found: dict[str, Any] = {}

    def attempt(name: str, parameters: dict[str, Any]) -> None:
        try:
            with aws_failures():
                getattr(client, name)(**parameters)
        except Exception:
            found[name] = {"said": traceback.format_exc()}

    for name, parameters in (
        ("delete_item", table | key),
        ("put_item", table | {"Item": {}}),
        ("update_item", table | key),
        ("scan", table),
        ("list_tables", {}),
    ):
        handler_of(partial(attempt, name, parameters))
        found[name]["documents"] = sent()
    return found


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    json.dump(
        main(arguments["header"], disabled=arguments["disabled"], patches=arguments["patches"]),
        sys.stdout,
    )
