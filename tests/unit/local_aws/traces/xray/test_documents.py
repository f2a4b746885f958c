"""The translation against 49 pairs recorded with the real exporter (contrib v0.112)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from local_aws.traces.xray import documents
from tests.fakes.otlp_spans import add_event, make_resource, make_span, span_from_json

PAIRS = [
    json.loads(line)
    for line in (Path(__file__).parents[4] / "data" / "xray-documents.jsonl")
    .read_text()
    .splitlines()
]
# Two sizes differ by one from the text recorded beside them. In the first the recorder counted
# characters, and é is two bytes; in the second, the only one with all resource attributes, one of
# their values had been replaced by a longer one.
SIZE_IN_DOUBT = {"500000000000002b", "500000000000002f"}


def without_exception_ids(document: dict[str, Any]) -> dict[str, Any]:
    document = json.loads(json.dumps(document))
    for exception in document.get("cause", {}).get("exceptions", []):
        assert len(exception.pop("id")) == 16
    return document


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{p['case']}-{p['span']['spanId']}" for p in PAIRS])
def test_makes_the_recorded_document(pair: dict[str, Any]) -> None:
    document = documents.to_document(span_from_json(pair["span"]), make_resource())
    assert without_exception_ids(document) == without_exception_ids(pair["document"])
    assert list(document) == list(pair["document"])
    difference = documents.document_bytes(document) - pair["document_bytes"]
    assert difference == (1 if document["id"] in SIZE_IN_DOUBT else 0)


def test_all_pairs_are_there() -> None:
    assert len(PAIRS) == 49


def document_of(span: Span, **resource: str) -> dict[str, Any]:
    return documents.to_document(span, make_resource(resource) if resource else make_resource())


def test_a_handled_exception_is_a_second_one_in_the_chain() -> None:
    span = make_span(is_error=True)
    trace = (
        'Traceback (most recent call last):\n  File "a.py", line 1, in inner\n    x()\n'
        "KeyError: 'a'\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        'Traceback (most recent call last):\n  File "b.py", line 2, in <module>\n    y()\n'
        "ValueError: outer\n"
    )
    found = {"type": "ValueError", "message": "outer", "stacktrace": trace}
    add_event(span, "exception", {f"exception.{k}": v for k, v in found.items()})
    outer, inner = document_of(span)["cause"]["exceptions"]
    assert (outer["type"], outer["message"]) == ("ValueError", "outer")
    assert outer["stack"] == [{"path": "b.py", "line": 2, "label": "<module>"}]
    assert outer["cause"] == inner["id"]
    assert (inner["type"], inner["message"]) == ("KeyError", "'a'")
    assert inner["stack"] == [{"path": "a.py", "line": 1, "label": "inner"}]


def test_frames_are_read_only_from_python() -> None:
    span = make_span()
    stack = 'Traceback\n  File "a.py", line 1, in f\nKeyError\n'
    add_event(span, "exception", {"exception.type": "E", "exception.stacktrace": stack})
    (exception,) = document_of(span, **{"telemetry.sdk.language": "ruby"})["cause"]["exceptions"]
    assert "stack" not in exception


def test_a_span_that_is_its_own_root_is_a_segment() -> None:
    document = document_of(make_span(parent_id=""))
    assert "type" not in document
    assert document["metadata"]["default"]["otel.resource.faas.name"] == "sse-streaming"


def test_another_cloud_has_no_aws_block() -> None:
    assert "aws" not in document_of(make_span(), **{"cloud.provider": "gcp"})


def test_metadata_can_name_its_namespace() -> None:
    span = make_span(
        attributes={
            "aws.xray.metadata.debug": '{"a": 1}',
            "aws.xray.metadata.default": '{"b": 2}',
            "aws.xray.metadata.broken": "no json",
        }
    )
    assert document_of(span)["metadata"] == {
        "debug": {"a": 1},
        "default": {"aws.xray.metadata.broken": "no json", "b": 2},
    }


def test_http_attributes_move_to_their_own_block() -> None:
    span = make_span(
        kind=Span.SPAN_KIND_CLIENT,
        attributes={
            "http.request.method": "GET",
            "url.full": "https://example.org/x",
            "http.status_code": 204,
            "server.address": "example.org",
        },
    )
    document = document_of(span)
    assert document["http"] == {
        "request": {"method": "GET", "url": "https://example.org/x"},
        "response": {"status": 204, "content_length": 0},
    }
    assert "metadata" not in document


def test_values_of_all_types_reach_metadata() -> None:
    values = {"list": [1, "a"], "map": {"b": 1, "a": True}, "bytes": b"x", "none": None}
    document = document_of(make_span(attributes=values))
    assert document["metadata"]["default"] == {
        "bytes": b"x",
        "list": [1, "a"],
        "map": {"a": True, "b": 1},
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("## handler", "## handler"),
        ("stream(chunk)[1], x", "streamchunk1 x"),
        ("Größe-ø@é", "Größe-ø@é"),
        ("()", "span"),
        ("x" * 300, "x" * 200),
    ],
)
def test_names_are_cleaned(name: str, expected: str) -> None:
    assert documents.fixed_name(name) == expected


def test_a_name_is_cut_at_bytes_not_characters() -> None:
    assert documents.fixed_name("é" * 150) == "é" * 100
