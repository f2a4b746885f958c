"""A bare `Invoke`: an HTTP request that somebody wrote by hand, for a test or the command line.

It is as much of payload format 1.0 (`{"httpMethod": "GET", "path": "/health"}`) or 2.0 as they
cared to write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from lambda_streaming.doors import answering, reading
from lambda_streaming.doors.answering import AnswerOptions
from lambda_streaming.doors.door import Streams
from lambda_streaming.requests import BadRequest, Pairs, Request
from lambda_streaming.responses import Response

NAME = "invoke"
STREAMS = Streams.NEVER

_MAPS = (
    *("headers", "multiValueHeaders"),
    *("queryStringParameters", "multiValueQueryStringParameters"),
)


def recognises(event: Mapping[str, Any]) -> bool:
    return reading.http_method(event) is not None


def read_request(event: Mapping[str, Any], context: object) -> Request:
    """Nothing of it was checked by a front door, so nothing names a caller."""
    for name in _MAPS:
        if not isinstance(event.get(name), dict | None):
            raise BadRequest("invalid_event", f"the event's {name} is neither an object nor null")
    request_context = reading.mapping(event.get("requestContext"))
    http = reading.mapping(request_context.get("http"))
    identity = reading.mapping(request_context.get("identity"))
    raw_path = _path(event, http)
    content = reading.body(event)
    return Request(
        method=(reading.http_method(event) or "").upper(),
        raw_path=raw_path,
        path=unquote(raw_path),
        query=reading.decoded_query(query_string := _query_string(event)),
        query_string=query_string,
        headers=_headers(event, len(content)),
        body=content,
        http_version=reading.http_version(http.get("protocol", request_context.get("protocol"))),
        client=reading.text(http.get("sourceIp")) or reading.text(identity.get("sourceIp")),
        event=event,
        context=context,
    )


def _path(event: Mapping[str, Any], http: Mapping[str, Any]) -> str:
    for given in (event.get("rawPath"), event.get("path"), http.get("path")):
        if not isinstance(given, str | None):
            raise BadRequest("invalid_event", "the event's path is neither a string nor null")
        if given:
            return reading.percent_encoded(given if given.startswith("/") else f"/{given}")
    return "/"


def _query_string(event: Mapping[str, Any]) -> str:
    raw = reading.text(event.get("rawQueryString"))
    return reading.encoded_query(event) if raw is None else reading.percent_encoded(raw)


def _headers(event: Mapping[str, Any], body_bytes: int) -> Pairs:
    if event.get("multiValueHeaders"):
        return reading.headers_1_0(event, body_bytes)
    return reading.headers_2_0(event, body_bytes)


def answer(
    response: Response,
    event: Mapping[str, Any],
    options: AnswerOptions = answering.NO_OPTIONS,
) -> dict[str, Any]:
    return answering.within_lambdas_limit(answering.payload_2_0(response, event, options))
