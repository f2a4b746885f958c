"""API Gateway REST APIs with Lambda proxy integration: payload format 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from lambda_streaming.doors import reading
from lambda_streaming.requests import Pairs, Request


def recognises(event: Mapping[str, Any]) -> bool:
    return isinstance(event.get("httpMethod"), str) and isinstance(
        event.get("requestContext"), dict
    )


def read_request(event: Mapping[str, Any], context: object) -> Request:
    """The request of an event that this door recognises. Raises BadRequest."""
    request_context = reading.mapping(event["requestContext"])
    identity = reading.mapping(request_context.get("identity"))
    raw_path = reading.raw_path(event.get("path"))
    return Request(
        method=event["httpMethod"].upper(),
        raw_path=raw_path,
        path=unquote(raw_path),
        query=_query(event),
        headers=_headers(event),
        body=reading.body(event),
        client=reading.text(identity.get("sourceIp")),
        caller_arn=reading.caller(identity.get("userArn")),
        received_ms=reading.epoch_ms(request_context.get("requestTimeEpoch")),
        event=event,
        context=context,
    )


def _query(event: Mapping[str, Any]) -> Pairs:
    """Decoded already. The map of lists holds every value; the other one only the last."""
    every = reading.lists_as_pairs(event.get("multiValueQueryStringParameters"))
    named = {name for name, _ in every}
    single = reading.mapping(event.get("queryStringParameters"))
    last = [(n, str(value)) for n, value in single.items() if value is not None and n not in named]
    return reading.refuse_replacement([*last, *every])


def _headers(event: Mapping[str, Any]) -> Pairs:
    """Every value from the map of lists; API Gateway's test console sends only that one."""
    every = reading.lists_as_pairs(event.get("multiValueHeaders"))
    named = {name.lower() for name, _ in every}
    single = reading.mapping(event.get("headers"))
    return reading.headers([*((n, v) for n, v in single.items() if n.lower() not in named), *every])
