"""JSON answers and the headers of streams."""

from __future__ import annotations

import json

from lambdas.sse_streaming.http.answers import (
    RequestError,
    error_answer,
    json_answer,
    not_http_answer,
    stream_headers,
)


def test_an_answer_is_json_and_not_cached() -> None:
    answer = json_answer(200, {"status": "healthy"})

    assert answer.status == 200
    assert answer.headers == {"content-type": "application/json", "cache-control": "no-store"}
    assert json.loads(answer.body) == {"status": "healthy"}


def test_no_answer_is_empty() -> None:
    """Function URLs hang on a body of no bytes."""
    assert json_answer(200, {}).body == b"{}"


def test_an_error_names_code_message_and_request() -> None:
    answer = error_answer(RequestError(404, "not_found", "no such path", {"x-a": "b"}), "req-1")

    assert answer.status == 404
    assert dict(answer.headers or ())["x-a"] == "b"
    assert json.loads(answer.body) == {
        "error": {"code": "not_found", "message": "no such path", "request_id": "req-1"}
    }


def test_an_event_that_is_no_request_gets_what_a_proxy_integration_reads() -> None:
    payload = json.loads(not_http_answer("from elsewhere", "req-1").payload)

    assert payload["statusCode"] == 400
    assert json.loads(payload["body"])["error"]["code"] == "not_http"


def test_a_streams_headers_keep_proxies_from_collecting_events() -> None:
    assert stream_headers("1-5759e988-bd862e3fe1be46a994272793") == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
        "x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793",
    }


def test_without_a_trace_there_is_no_trace_header() -> None:
    assert set(stream_headers(None)) == {"content-type", "cache-control", "x-accel-buffering"}
