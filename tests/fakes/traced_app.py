"""An app behind the real awslambdaric, asked one request after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes.functions import fastapi_app
from tests.fakes.local import wait_until
from tests.fakes.managed_runtime import TracedFunction, traced_function
from tests.fakes.runtime_api import Event, Exchange, FakeRuntimeApi, Treatment

FUNCTIONS = Path(fastapi_app.__file__).parent
LAMBDAS_SPAN = "53995c3f42cd8ad8"
UNTREATED = Treatment()


def trace_header(number: int, sampled: int = 1) -> str:
    return f"Root=1-{number:08x}-{'a' * 24};Parent={LAMBDAS_SPAN};Sampled={sampled}"


def url_event(path: str, method: str = "GET", body: str | None = None, **headers: str) -> bytes:
    http = {"method": method, "path": path, "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1"}
    return json.dumps(
        {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {"host": "x.lambda-url.eu-west-1.on.aws", **headers},
            "requestContext": {"http": http, "domainName": "x.lambda-url.eu-west-1.on.aws"},
            "body": body,
            "isBase64Encoded": False,
        }
    ).encode()


@dataclass
class TracedApp:
    """A function that is asked one request after the other."""

    running: TracedFunction
    asked: int = 0

    @property
    def api(self) -> FakeRuntimeApi:
        return self.running.function.api

    def ask(
        self, event: bytes, *, trace: str | None = None, treatment: Treatment = UNTREATED
    ) -> Exchange:
        """The answer; the function has asked for the next event since."""
        self.asked += 1
        headers = {"Lambda-Runtime-Trace-Id": trace or trace_header(self.asked)}
        self.api.add(Event(event, f"request-{self.asked}", headers, treatment))
        self.api.wait_until(lambda: len(self.api.polls()) == self.asked + 1, 20)
        return self.api.answers()[-1]

    def spans(self, number: int | None = None) -> dict[str, Span]:
        """Of one invocation, by default the latest, by name."""
        wanted = f"{number or self.asked:08x}{'a' * 24}"
        return {
            span.name: span
            for span in self.running.collector.spans
            if span.trace_id.hex() == wanted
        }

    def subsegments(self, number: int | None = None) -> dict[str, dict[str, Any]]:
        wanted = f"1-{number or self.asked:08x}-{'a' * 24}"
        found = [one for one in self.running.daemon.documents if one["trace_id"] == wanted]
        return {one["name"]: one for one in found}

    def access_lines(self) -> list[dict[str, Any]]:
        """What the function has said of its requests until now."""
        output = Path(f"/proc/self/fd/{self.running.function.output.fileno()}").read_text()
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        return [line for line in lines if isinstance(line["message"], dict)]

    def handler_phase(self) -> dict[str, Any]:
        wait_until(lambda: "## handler" in self.subsegments(), "the subsegment arrives", seconds=5)
        return self.subsegments()["## handler"]


@contextmanager
def running(module: str, environ: Mapping[str, str] | None = None) -> Iterator[TracedApp]:
    with traced_function(
        FUNCTIONS, f"{module}.handler", name="orders", environ=environ
    ) as function:
        yield TracedApp(function)


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
