"""API Gateway REST APIs with Lambda proxy integration: payload format 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from lambda_streaming.doors import answering, reading
from lambda_streaming.doors.answering import AnswerOptions
from lambda_streaming.doors.door import Streams
from lambda_streaming.requests import Request
from lambda_streaming.responses import Response

NAME = "rest_api"
STREAMS = Streams.BY_SETTING
"""The event does not tell whether the integration streams."""


def recognises(event: Mapping[str, Any]) -> bool:
    """A resource has an id of letters and digits. Where an HTTP API writes this format, the id is
    null, or a route as `ANY /items`; emulators of REST APIs write its version, too."""
    if not reading.has_method_1_0(event) or reading.asks_an_authorizer(event):
        return False
    resource_id = event["requestContext"].get("resourceId")
    if event.get("version") == "1.0":
        return isinstance(resource_id, str) and resource_id.isalnum()
    return resource_id is not None or isinstance(event.get("resource"), str)


def read_request(event: Mapping[str, Any], context: object) -> Request:
    """`path` has neither the stage nor the base path of a custom domain; `requestContext.path`
    has the one that the client sees."""
    raw_path = reading.encoded_path(event.get("path"))
    path = unquote(raw_path)
    whole = reading.mapping(event.get("requestContext")).get("path")
    root_path = reading.root_before(reading.path_or_root(whole), path)
    return reading.payload_1_0(
        event,
        context,
        raw_path=reading.quoted_path(root_path) + raw_path,
        path=root_path + path,
        root_path=root_path,
    )


def read_without_root_path(event: Mapping[str, Any], context: object) -> Request:
    """The same for an app that builds no links to itself."""
    raw_path = reading.encoded_path(event.get("path"))
    return reading.payload_1_0(event, context, raw_path=raw_path, path=unquote(raw_path))


def answer(
    response: Response,
    event: Mapping[str, Any],
    options: AnswerOptions = answering.NO_OPTIONS,
) -> dict[str, Any]:
    return answering.within_lambdas_limit(answering.payload_1_0(response, event, options))
