"""Which front door an event came through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambda_streaming.doors import alb, function_url, http_api, invoke, reading, rest_api, sources
from lambda_streaming.doors.door import Door
from lambda_streaming.requests import BadRequest, Request

MAX_QUERY_PARAMETERS = 100

_OTHER_FRONT_DOORS: tuple[Door, ...] = (rest_api, alb, http_api)


class NotHttp(Exception):
    """The event is no HTTP request. `source` names the AWS service that sent it; None where its
    shape is of no service that is known here."""

    def __init__(self, reason: str, source: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.source = source


class Refused(Exception):
    """The event comes from a front door that cannot be served here: answered with `status`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def decode(event: bytes) -> dict[str, Any]:
    """Raises NotHttp for bytes that are no JSON object."""
    try:
        decoded = json.loads(event)
    except (ValueError, RecursionError) as error:
        raise NotHttp("the event is not JSON") from error
    if not isinstance(decoded, dict):
        raise NotHttp("the event is not a JSON object")
    return decoded


def recognise(event: Mapping[str, Any]) -> Door:
    """The door of an event. Raises NotHttp or Refused."""
    if function_url.recognises(event):
        return function_url
    _refuse_other_front_ends(event)
    for door in _OTHER_FRONT_DOORS:
        if door.recognises(event):
            return door
    source = sources.source_of(event)
    if source is not None:
        raise NotHttp(f"the event is no HTTP request: it comes from {source}", source)
    if invoke.recognises(event):
        return invoke
    raise NotHttp(
        "the event is no HTTP request: it has no method, and no service of AWS sends its shape"
    )


def _refuse_other_front_ends(event: Mapping[str, Any]) -> None:
    if isinstance(reading.mapping(event.get("requestContext")).get("connectionId"), str):
        if reading.asks_an_authorizer(event):
            return
        raise Refused(
            501,
            "this is a WebSocket API of API Gateway, whose messages have no HTTP answer: for events"
            " pushed to browsers stream server-sent events from a Function URL, for both directions"
            " use AppSync Events or a handler written for WebSocket APIs",
        )
    if isinstance(sources.first_record(event).get("cf"), dict):
        raise Refused(
            501,
            "this is CloudFront calling a Lambda@Edge function, which can neither stream nor read"
            " a request as an app expects it: make a Function URL CloudFront's origin instead",
        )


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
