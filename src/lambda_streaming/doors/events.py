"""Events as bytes, and the requests of an app that stands behind a Function URL or a REST API."""

from __future__ import annotations

import json
from typing import Any

from lambda_streaming.doors import function_url, reading, rest_api
from lambda_streaming.requests import BadRequest, Request

MAX_QUERY_PARAMETERS = 100


class NotHttp(Exception):
    """The event is no HTTP request. `source` names the AWS service that sent it; None where its
    shape is of no service that is known here."""

    def __init__(self, reason: str, source: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.source = source


def decode(event: bytes) -> dict[str, Any]:
    """Raises NotHttp for bytes that are no JSON object."""
    try:
        decoded = json.loads(event)
    except (ValueError, RecursionError) as error:
        raise NotHttp("the event is not JSON") from error
    if isinstance(decoded, list) and decoded and "eventSource" in reading.mapping(decoded[0]):
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html
        raise NotHttp("the event is a list of records, a batch of EventBridge Pipes", "pipes")
    if not isinstance(decoded, dict):
        raise NotHttp("the event is not a JSON object")
    return decoded


def read_event(event: bytes, context: object = None) -> Request:
    """The request of an event, for an app at a Function URL or a REST API: its path is without the
    stage, its query readable.

    Raises NotHttp for anything that is no HTTP request, bytes that are not JSON included;
    BadRequest for an HTTP request whose parts cannot be read, and for more than 100 parameters.
    """
    decoded = decode(event)
    if reading.has_method_2_0(decoded):
        request = function_url.read_request(decoded, context)
        if request.query_string.count("&") >= MAX_QUERY_PARAMETERS:
            raise BadRequest("invalid_query", f"more than {MAX_QUERY_PARAMETERS} query parameters")
    elif reading.has_method_1_0(decoded):
        request = rest_api.read_without_root_path(decoded, context)
    else:
        raise NotHttp("the event is neither of a Function URL (2.0) nor of API Gateway REST (1.0)")
    for name, value in request.query.pairs:
        if "\ufffd" in name or "\ufffd" in value:  # what the decoder put for what is not UTF-8
            shown = reading.shown_name(name)
            raise BadRequest("invalid_query", f"{shown}: not percent-encoded UTF-8")
    return request
