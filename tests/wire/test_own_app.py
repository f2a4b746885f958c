"""An app of twenty lines on the library alone: it streams natively, and is one trace."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from tests.fakes.functions import own_app
from tests.fakes.local import wait_until
from tests.fakes.managed_runtime import traced_function
from tests.fakes.runtime_api import Event

TRACE_ID = "5759e988bd862e3fe1be46a994272793"
TRACE_HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def test_the_app_needs_the_library_alone() -> None:
    source = Path(own_app.__file__).read_text(encoding="utf-8")
    modules = {
        node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)
    }
    assert not any(str(module).startswith(("lambdas", "boto", "tests")) for module in modules)


def test_it_streams_and_both_phases_are_in_one_trace() -> None:
    with traced_function(Path(own_app.__file__).parent, "own_app.handler", name="chat") as traced:
        api, daemon = traced.function.api, traced.daemon
        api.add(
            Event(
                b'{"prompt": "one two three"}',
                request_id="request",
                headers={"Lambda-Runtime-Trace-Id": TRACE_HEADER},
            )
        )
        api.wait_until(lambda: len(api.polls()) == 2, 20)
        wait_until(lambda: len(daemon.documents) == 2, "both subsegments arrive", seconds=5)
        said = traced.function.end()
        (answer,) = api.answers()
        spans = {span.name: span for span in traced.collector.spans}
        subsegments = {document["name"]: document for document in daemon.documents}

    # natively
    assert [data for _, data in answer.chunks[2:]] == [b"one\n", b"two\n", b"three\n"]
    # the handler phase, X-Ray's
    handler, check = subsegments["## handler"], subsegments["## own_app.check"]
    assert {handler["trace_id"], check["trace_id"]} == {"1-5759e988-bd862e3fe1be46a994272793"}
    assert handler["parent_id"] == "53995c3f42cd8ad8"
    assert check["parent_id"] == handler["id"]
    # the streaming phase, OpenTelemetry's
    assert set(spans) == {"response_stream", "model_call"}
    root, step = spans["response_stream"], spans["model_call"]
    assert {root.trace_id.hex(), step.trace_id.hex()} == {TRACE_ID}
    assert root.parent_span_id.hex() == "53995c3f42cd8ad8"
    assert step.parent_span_id == root.span_id
    # and the log
    (line,) = [json.loads(line) for line in said.splitlines()]
    assert line["message"] == "answering"
    assert line["service"] == "chat"
    assert line["function_request_id"] == "request"
    assert line["xray_trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert line["span_id"] == root.span_id.hex()
