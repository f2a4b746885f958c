"""Apps behind the real awslambdaric: what clients get, and both phases in one trace."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.fakes.local import wait_until
from tests.fakes.traced_app import (
    LAMBDAS_SPAN,
    TracedApp,
    attributes,
    running,
    trace_header,
    url_event,
)


@pytest.fixture(scope="module")
def fastapi() -> Iterator[TracedApp]:
    with running("fastapi_app") as function:
        yield function


def test_a_streamed_answer_leaves_block_by_block_and_is_one_trace(fastapi: TracedApp) -> None:
    answer = fastapi.ask(url_event("/words"))

    assert answer.prelude["statusCode"] == 200
    assert [data for _, data in answer.chunks[2:]] == [b"one\n", b"two\n", b"three\n"]
    spans = fastapi.spans()
    root = spans["asgi_request"]
    assert root.parent_span_id.hex() == LAMBDAS_SPAN
    for name in ("asgi_handler", "asgi_stream", "look_up"):
        assert spans[name].parent_span_id == root.span_id
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


def test_fastapis_own_telemetry_is_in_the_trace(fastapi: TracedApp) -> None:
    """A SERVER span would be a second node on X-Ray's map."""
    fastapi.ask(url_event("/words", traceparent=f"00-{'b' * 32}-{'c' * 16}-01"))

    spans = fastapi.spans()
    request = spans["GET /words"]
    assert request.parent_span_id == spans["asgi_request"].span_id
    assert request.kind == Span.SPAN_KIND_INTERNAL
    (link,) = spans["asgi_request"].links
    assert (link.trace_id.hex(), link.span_id.hex()) == ("b" * 32, "c" * 16)


def test_the_handler_phase_ends_where_the_answer_begins(fastapi: TracedApp) -> None:
    fastapi.ask(url_event("/words"))

    spans, handler = fastapi.spans(), fastapi.handler_phase()
    began = spans["asgi_stream"].start_time_unix_nano / 1e9
    assert handler["start_time"] <= began
    assert abs(handler["end_time"] - began) < 0.05


def test_a_route_is_named_as_the_framework_names_it(fastapi: TracedApp) -> None:
    fastapi.ask(url_event("/items/7"))

    assert attributes(fastapi.spans()["asgi_request"])["http.route"] == "/items/{item_id}"


def test_work_after_the_answer_is_a_span_of_its_own(fastapi: TracedApp) -> None:
    answer = fastapi.ask(url_event("/later"))

    spans = fastapi.spans()
    background = spans["asgi_background"]
    assert background.end_time_unix_nano - background.start_time_unix_nano > 40e6
    assert answer.ended_at is not None
    polled_at = fastapi.api.polls()[-1].at
    assert polled_at - answer.ended_at > 0.04, "the client was served before the work was done"


def test_a_clients_mistake_is_no_fault(fastapi: TracedApp) -> None:
    answer = fastapi.ask(url_event("/missing"))

    root = fastapi.spans()["asgi_request"]
    assert answer.prelude["statusCode"] == 404
    assert root.status.code != Status.STATUS_CODE_ERROR
    assert attributes(root)["http.status_code"] == 404


def test_an_exception_is_a_500_and_a_fault_with_its_cause(fastapi: TracedApp) -> None:
    answer = fastapi.ask(url_event("/broken"))

    root = fastapi.spans()["asgi_request"]
    assert answer.prelude["statusCode"] == 500
    assert answer.payload == b"Internal Server Error"
    assert root.status.code == Status.STATUS_CODE_ERROR
    (event,) = [event for event in root.events if event.name == "exception"]
    assert {one.key: one.value.string_value for one in event.attributes}["exception.type"] == (
        "LookupError"
    )


def test_a_trace_that_the_client_chose_says_so(fastapi: TracedApp) -> None:
    fastapi.ask(url_event("/words"))
    assert "trace_from_client" not in attributes(fastapi.spans()["asgi_request"])

    fastapi.ask(url_event("/words", **{"x-amzn-trace-id": "Sampled=1"}))
    assert attributes(fastapi.spans()["asgi_request"])["trace_from_client"] is True


def test_an_unsampled_request_is_answered_alike_and_recorded_nowhere(fastapi: TracedApp) -> None:
    header = trace_header(0xDEAD, sampled=0)
    answer = fastapi.ask(url_event("/words"), trace=header)

    assert answer.payload == b"one\ntwo\nthree\n"
    assert fastapi.spans(0xDEAD) == {}
    assert fastapi.subsegments(0xDEAD) == {}


def test_each_request_has_one_line_of_json_with_its_ids(fastapi: TracedApp) -> None:
    fastapi.ask(url_event("/words", token="secret"))

    wait_until(lambda: fastapi.access_lines(), "the line is written", seconds=5)
    line = fastapi.access_lines()[-1]
    said = line["message"]
    assert (said["method"], said["path"], said["status"]) == ("GET", "/words", 200)
    assert (said["door"], said["outcome"]) == ("function_url", "completed")
    assert 0 < said["first_ms"] <= said["total_ms"]
    assert line["function_request_id"] == f"request-{fastapi.asked}"
    assert line["xray_trace_id"] == f"1-{fastapi.asked:08x}-{'a' * 24}"
    assert "secret" not in str(line)


def test_a_request_without_a_door_gets_json(fastapi: TracedApp) -> None:
    answer = fastapi.ask(b'{"httpMethod": "GET", "path": "/items/3", "headers": {}}')

    document = json.loads(answer.body)
    assert document["statusCode"] == 200
    assert json.loads(document["body"]) == {"item_id": 3}


def test_an_event_that_is_no_request_is_handled_in_the_handler_phase(fastapi: TracedApp) -> None:
    answer = fastapi.ask(b'{"Records": [{"eventSource": "aws:sqs", "body": "x"}]}')

    assert json.loads(answer.body) == 1
    handler = fastapi.handler_phase()
    wait_until(lambda: len(fastapi.subsegments()) == 2, "both arrive", seconds=5)
    assert fastapi.subsegments()["## fastapi_app.count"]["parent_id"] == handler["id"]


def test_a_function_of_twenty_lines_streams_and_is_one_trace() -> None:
    with running("plain_function") as function:
        clients = {"x-amzn-trace-id": "Sampled=1"}
        answer = function.ask(url_event("/", "POST", '{"prompt": "one two"}', **clients))

        assert [data for _, data in answer.chunks[2:]] == [
            b": open\n",
            b"event: token\ndata: one\n\n",
            b"event: token\ndata: two\n\n",
        ]
        spans = function.spans()
        assert set(spans) == {"response_stream", "model_call"}
        assert attributes(spans["response_stream"])["trace_from_client"] is True
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
