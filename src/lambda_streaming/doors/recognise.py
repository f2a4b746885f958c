"""Which front door an event came through."""

from __future__ import annotations

import json

from lambda_streaming.doors import function_url, rest_api
from lambda_streaming.requests import Request


class NotHttp(Exception):
    """The event comes from no front door that is known here."""


def read_event(event: bytes, context: object = None) -> Request:
    """The request of an event.

    Raises NotHttp for anything that is no HTTP request, bytes that are not JSON included;
    BadRequest for an HTTP request whose parts cannot be read.
    """
    try:
        decoded = json.loads(event)
    except (ValueError, RecursionError) as error:
        raise NotHttp("the event is not JSON") from error
    if not isinstance(decoded, dict):
        raise NotHttp("the event is not a JSON object")
    if function_url.recognises(decoded):
        return function_url.read_request(decoded, context)
    if rest_api.recognises(decoded):
        return rest_api.read_request(decoded, context)
    raise NotHttp("the event is neither of a Function URL (2.0) nor of API Gateway REST (1.0)")
