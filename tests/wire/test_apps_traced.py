"""Apps behind the real awslambdaric: what clients get, and both phases in one trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.fakes.functions import fastapi_app
from tests.fakes.local import wait_until
from tests.fakes.managed_runtime import TracedFunction, traced_function
from tests.fakes.runtime_api import Event, Exchange, FakeRuntimeApi

FUNCTIONS = Path(fastapi_app.__file__).parent
LAMBDAS_SPAN = "53995c3f42cd8ad8"


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
class Function:
    """A function that is asked one request after the other."""

    running: TracedFunction
    asked: int = 0

    @property
    def api(self) -> FakeRuntimeApi:
        return self.running.function.api

    def ask(self, event: bytes, *, trace: str | None = None) -> Exchange:
        """The answer; the function has asked for the next event since."""
        self.asked += 1
        headers = {"Lambda-Runtime-Trace-Id": trace or trace_header(self.asked)}
        self.api.add(Event(event, request_id=f"request-{self.asked}", headers=headers))
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

    def handler_phase(self) -> dict[str, Any]:
        wait_until(lambda: "## handler" in self.subsegments(), "the subsegment arrives", seconds=5)
        return self.subsegments()["## handler"]


@contextmanager
def running(module: str) -> Iterator[Function]:
    with traced_function(FUNCTIONS, f"{module}.handler", name="orders") as function:
        yield Function(function)


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


@pytest.fixture(scope="module")
def fastapi() -> Iterator[Function]:
    with running("fastapi_app") as function:
        yield function


def test_a_streamed_answer_leaves_block_by_block_and_is_one_trace(fastapi: Function) -> None:
    answer = fastapi.ask(url_event("/words"))

    assert answer.prelude["statusCode"] == 200
    assert [data for _, data in answer.chunks[2:]] == [b"one\n", b"two\n", b"three\n"]
    spans = fastapi.spans()
    root = spans["asgi_request"]
    assert set(spans) == {"asgi_request", "asgi_handler", "asgi_stream", "look_up"}
    assert root.parent_span_id.hex() == LAMBDAS_SPAN
    assert {span.parent_span_id for name, span in spans.items() if name != "asgi_request"} == {
        root.span_id
    }
    facts = attributes(root)
    assert facts["http.route"] == "/words"
    assert facts["http.status_code"] == 200
    assert facts["chunks_sent"] == 3
    assert facts["bytes_sent"] == 14
    assert facts["end_reason"] == "completed"
    handler = fastapi.handler_phase()
    assert handler["parent_id"] == LAMBDAS_SPAN
    assert handler["annotations"]["status"] == 200
    assert handler["annotations"]["route"] == "/words"


def test_the_handler_phase_ends_where_the_answer_begins(fastapi: Function) -> None:
    fastapi.ask(url_event("/words"))

    spans, handler = fastapi.spans(), fastapi.handler_phase()
    began = spans["asgi_stream"].start_time_unix_nano / 1e9
    assert handler["start_time"] <= began
    assert abs(handler["end_time"] - began) < 0.05


def test_a_route_is_named_as_the_framework_names_it(fastapi: Function) -> None:
    fastapi.ask(url_event("/items/7"))

    assert attributes(fastapi.spans()["asgi_request"])["http.route"] == "/items/{item_id}"


def test_work_after_the_answer_is_a_span_of_its_own(fastapi: Function) -> None:
    answer = fastapi.ask(url_event("/later"))

    spans = fastapi.spans()
    background = spans["asgi_background"]
    assert background.end_time_unix_nano - background.start_time_unix_nano > 40e6
    assert answer.ended_at is not None
    polled_at = fastapi.api.polls()[-1].at
    assert polled_at - answer.ended_at > 0.04, "the client was served before the work was done"


def test_a_clients_mistake_is_no_fault(fastapi: Function) -> None:
    answer = fastapi.ask(url_event("/missing"))

    root = fastapi.spans()["asgi_request"]
    assert answer.prelude["statusCode"] == 404
    assert root.status.code != Status.STATUS_CODE_ERROR
    assert attributes(root)["http.status_code"] == 404


def test_an_exception_is_a_500_and_a_fault_with_its_cause(fastapi: Function) -> None:
    answer = fastapi.ask(url_event("/broken"))

    root = fastapi.spans()["asgi_request"]
    assert answer.prelude["statusCode"] == 500
    assert answer.payload == b"Internal Server Error"
    assert root.status.code == Status.STATUS_CODE_ERROR
    (event,) = [event for event in root.events if event.name == "exception"]
    assert {one.key: one.value.string_value for one in event.attributes}["exception.type"] == (
        "LookupError"
    )


def test_an_unsampled_request_is_answered_alike_and_recorded_nowhere(fastapi: Function) -> None:
    header = trace_header(0xDEAD, sampled=0)
    answer = fastapi.ask(url_event("/words"), trace=header)

    assert answer.payload == b"one\ntwo\nthree\n"
    assert fastapi.spans(0xDEAD) == {}
    assert fastapi.subsegments(0xDEAD) == {}


def test_a_request_without_a_door_gets_json(fastapi: Function) -> None:
    answer = fastapi.ask(b'{"httpMethod": "GET", "path": "/items/3", "headers": {}}')

    document = json.loads(answer.body)
    assert document["statusCode"] == 200
    assert json.loads(document["body"]) == {"item_id": 3}


def test_a_function_of_twenty_lines_streams_and_is_one_trace() -> None:
    with running("plain_function") as function:
        answer = function.ask(url_event("/", "POST", '{"prompt": "one two"}'))

        assert [data for _, data in answer.chunks[2:]] == [
            b": open\n",
            b"event: token\ndata: one\n\n",
            b"event: token\ndata: two\n\n",
        ]
        spans = function.spans()
        assert set(spans) == {"response_stream", "model_call"}
        handler = function.handler_phase()
        wait_until(lambda: len(function.subsegments()) == 2, "both arrive", seconds=5)
        check = function.subsegments()["## plain_function.check"]
        assert check["parent_id"] == handler["id"]
        assert handler["annotations"]["ColdStart"] is True
        said = function.running.function.end().splitlines()
        (line,) = [one for one in map(json.loads, said) if one["message"] == "answering"]
        assert line["function_request_id"] == "request-1"
        assert line["span_id"] == spans["response_stream"].span_id.hex()


def test_what_is_no_json_for_the_function_is_the_clients_mistake() -> None:
    with running("plain_function") as function:
        answer = function.ask(url_event("/", "POST", "not json"))

        assert answer.prelude["statusCode"] == 400
        assert json.loads(answer.payload)["error"] == {
            "code": "invalid_json",
            "message": "the body is not JSON",
            "request_id": "request-1",
        }
        assert "cause" not in function.handler_phase()
