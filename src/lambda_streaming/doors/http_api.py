"""API Gateway HTTP APIs, payload formats 2.0 and 1.0. They cannot stream.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

Their paths come decoded in both formats, a named stage included (live captures at
https://github.com/middleapi/standard-server/issues/93). What was `%2F` in them is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_streaming.doors import answering, reading
from lambda_streaming.doors.answering import AnswerOptions
from lambda_streaming.doors.door import Streams
from lambda_streaming.requests import Request
from lambda_streaming.responses import Response

NAME = "http_api"
STREAMS = Streams.NEVER


def recognises(event: Mapping[str, Any]) -> bool:
    """Of an event that no other front door recognises."""
    if reading.asks_an_authorizer(event):
        return False
    if reading.has_method_2_0(event):
        return isinstance(event["requestContext"].get("domainName"), str)
    return reading.has_method_1_0(event) and event.get("version") == "1.0"


def read_request(event: Mapping[str, Any], context: object) -> Request:
    is_payload_2_0 = reading.has_method_2_0(event)
    path = reading.path_or_root(event.get("rawPath" if is_payload_2_0 else "path"))
    raw_path = reading.quoted_path(path)
    root_path = _stage(event["requestContext"].get("stage"), path)
    read_payload = reading.payload_2_0 if is_payload_2_0 else reading.payload_1_0
    return read_payload(event, context, raw_path=raw_path, path=path, root_path=root_path)


def _stage(stage: object, path: str) -> str:
    """A named stage begins the path, but not behind a custom domain."""
    if not isinstance(stage, str) or not stage or stage == "$default":
        return ""
    return f"/{stage}" if reading.begins_with(path, f"/{stage}") else ""


def answer(
    response: Response,
    event: Mapping[str, Any],
    options: AnswerOptions = answering.NO_OPTIONS,
) -> dict[str, Any]:
    """In the format of the event: API Gateway takes the integration's, whatever the answer says."""
    payload = answering.payload_2_0 if reading.has_method_2_0(event) else answering.payload_1_0
    return answering.within_lambdas_limit(payload(response, event, options))
