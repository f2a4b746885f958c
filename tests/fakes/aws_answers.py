"""AWS's answers about a deployment, in the shapes that X-Ray and Lambda give them.

X-Ray returns one document per segment: Lambda's own two, with the X-Ray SDK's subsegments inside
the function's, and one for each span that the collector sent, which name their parents.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

FUNCTION = "sse-streaming"
TRACE_ID = "1-67400000-0123456789abcdef01234567"
STARTED = 1732300000.0
HANDLER_RETURNED = STARTED + 0.05


def aws_call(operation: str, request_id: str) -> dict[str, Any]:
    return {"operation": operation, "region": "us-east-1", "request_id": request_id}


def document(
    id: str, name: str, start: float, end: float, parent_id: str | None = None, **more: Any
) -> dict[str, Any]:
    parent = {} if parent_id is None else {"parent_id": parent_id, "type": "subsegment"}
    whole = {"id": id, "name": name, "start_time": start, "end_time": end, "trace_id": TRACE_ID}
    return {**whole, **parent, **more}


def lambda_documents(*subsegments: dict[str, Any]) -> list[dict[str, Any]]:
    """Lambda's two segments; the handler phase inside the second."""
    lookup = {
        "id": "c1",
        "name": "dynamodb",
        "namespace": "aws",
        "start_time": STARTED + 0.02,
        "end_time": STARTED + 0.03,
        "aws": aws_call("GetItem", "REQUEST1"),
    }
    handler = {
        "id": "b1",
        "name": "## handle",
        "start_time": STARTED + 0.01,
        "end_time": HANDLER_RETURNED,
        "subsegments": [lookup],
    }
    return [
        document("a0", FUNCTION, STARTED, STARTED + 20, origin="AWS::Lambda"),
        document(
            "a1",
            FUNCTION,
            STARTED,
            STARTED + 20,
            parent_id="a0",
            origin="AWS::Lambda::Function",
            subsegments=[handler, *subsegments],
        ),
    ]


def stream_documents(spans_lost: int = 0) -> list[dict[str, Any]]:
    """The streaming phase, as the collector's exporter sends it."""
    after = HANDLER_RETURNED
    return [
        document(
            "d1",
            "sse_stream",
            STARTED + 0.04,
            STARTED + 19,
            parent_id="a1",
            metadata={"default": {"spans_lost": spans_lost, "polls": 4}},
        ),
        document("d2", "dynamodb_poll", after + 1, after + 1.1, parent_id="d1"),
        document(
            "d3",
            "dynamodb",
            after + 1,
            after + 1.1,
            parent_id="d2",
            namespace="aws",
            aws=aws_call("Query", "REQUEST2"),
        ),
        document("d4", "sse_event_dispatch", after + 1.2, after + 1.3, parent_id="d1"),
    ]


def traces(
    documents: Iterable[Mapping[str, Any]], *, limit_exceeded: bool = False
) -> dict[str, Any]:
    """BatchGetTraces' answer."""
    segments = [{"Id": each["id"], "Document": json.dumps(each)} for each in documents]
    return {
        "Traces": [
            {
                "Id": TRACE_ID,
                "Duration": 20.0,
                "LimitExceeded": limit_exceeded,
                "Segments": segments,
            }
        ],
        "UnprocessedTraceIds": [],
    }


def graph(*more: dict[str, Any]) -> dict[str, Any]:
    """GetTraceGraph's answer: the client, the function's two nodes, DynamoDB."""
    return {
        "Services": [
            {"ReferenceId": 0, "Name": FUNCTION, "Type": "client"},
            {"ReferenceId": 1, "Name": FUNCTION, "Type": "AWS::Lambda"},
            {"ReferenceId": 2, "Name": FUNCTION, "Type": "AWS::Lambda::Function"},
            {"ReferenceId": 3, "Name": "dynamodb", "Type": "AWS::DynamoDB::Table"},
            *more,
        ]
    }


def configuration(**environment: str) -> dict[str, Any]:
    """GetFunctionConfiguration's answer."""
    return {
        "FunctionName": FUNCTION,
        "Runtime": "python3.13",
        "Role": "arn:aws:iam::123456789012:role/sse-streaming-us-east-1",
        "Handler": "lambdas.sse_streaming.entrypoint.handler",
        "Timeout": 330,
        "MemorySize": 512,
        "Architectures": ["arm64"],
        "Layers": [{"Arn": "arn:aws:lambda:us-east-1:901920570463:layer:collector:1"}],
        "Environment": {"Variables": {"OTEL_SERVICE_NAME": FUNCTION, **environment}},
        "TracingConfig": {"Mode": "Active"},
    }
