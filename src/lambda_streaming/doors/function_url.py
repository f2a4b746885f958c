"""Function URLs, CloudFront before one included: payload format 2.0.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from lambda_streaming.doors import reading
from lambda_streaming.requests import Pairs, Request


def recognises(event: Mapping[str, Any]) -> bool:
    http = reading.mapping(reading.mapping(event.get("requestContext")).get("http"))
    return isinstance(http.get("method"), str)


def read_request(event: Mapping[str, Any], context: object) -> Request:
    """The request of an event that this door recognises. Raises BadRequest.

    The path is `rawPath`: `requestContext.http.path` drops a slash at the end
    (github.com/adamchainz/apig-wsgi/issues/376).
    """
    request_context = reading.mapping(event["requestContext"])
    http = reading.mapping(request_context["http"])
    iam = reading.mapping(reading.mapping(request_context.get("authorizer")).get("iam"))
    raw_path = reading.raw_path(event.get("rawPath"))
    return Request(
        method=http["method"].upper(),
        raw_path=raw_path,
        path=unquote(raw_path),
        query=reading.parse_query(query_string := reading.text(event.get("rawQueryString")) or ""),
        query_string=query_string,
        headers=_headers(event),
        body=reading.body(event),
        client=reading.text(http.get("sourceIp")),
        caller_arn=reading.caller(iam.get("userArn")),
        received_ms=reading.epoch_ms(request_context.get("timeEpoch")),
        event=event,
        context=context,
    )


def _headers(event: Mapping[str, Any]) -> Pairs:
    """Repeated headers come joined; cookies come apart, and belong together with "; "
    (RFC 6265, section 5.4)."""
    headers = list(reading.mapping(event.get("headers")).items())
    cookies = event.get("cookies")
    if isinstance(cookies, list) and cookies:
        headers = [pair for pair in headers if str(pair[0]).lower() != "cookie"]
        headers.append(("cookie", "; ".join(map(str, cookies))))
    return reading.headers(headers)
