"""Function URL (payload 2.0) and API Gateway REST (1.0) events -> Request. Pure.

Shapes: docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html and
docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from lambdas.sse_streaming.errors import RequestError

_TICKER = re.compile(r"[A-Za-z0-9.^=-]{1,16}")
_ASSUMED_ROLE = re.compile(r"arn:(aws[\w-]*):sts::(\d{12}):assumed-role/([^/]+)/.+")
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_.-]{0,20}")
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_MAX_SHOWN = 8
_MAX_PARAMETERS = 100
_MAX_TICKERS = 50
_MAX_BACKFILL = 100
_LAST_EVENT_ID_PARAMETERS = ("last_event_id", "lastEventId", "Last-Event-ID")

SENTIMENTS = ("negative", "neutral", "positive")


@dataclass(frozen=True, slots=True)
class Request:
    """What the routes need of an HTTP request. Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    caller_arn: str | None
    received_ms: int | None = None
    """When the front door received it, on the front door's clock, in epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class StreamFilter:
    """Which items a stream wants. No tickers means any item, with or without one."""

    sentiments: tuple[str, ...] = SENTIMENTS
    tickers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A validated request for a stream. `last_event_id` is as presented, or None."""

    filter: StreamFilter
    backfill: int
    last_event_id: str | None
    received_ms: int | None = None


class NotHttp(Exception):
    """The event comes from no HTTP source that this function knows."""


def parse_event(event: bytes) -> Request:
    """The request of a Function URL or API Gateway REST event.

    Raises NotHttp for anything else, bytes that are not JSON included; RequestError for an HTTP
    event whose parts cannot be read.
    """
    try:
        decoded = json.loads(event)
    except (ValueError, RecursionError) as error:
        raise NotHttp("the event is not JSON") from error
    if not isinstance(decoded, dict):
        raise NotHttp("the event is not a JSON object")
    context = decoded.get("requestContext")
    if isinstance(context, dict):
        http = context.get("http")
        if isinstance(http, dict) and isinstance(http.get("method"), str):
            return _function_url(decoded, context, http)
        if isinstance(decoded.get("httpMethod"), str):
            return _rest_api(decoded, context)
    raise NotHttp("the event is neither of a Function URL (2.0) nor of API Gateway REST (1.0)")


def parse_stream_request(request: Request, allowed: frozenset[str]) -> StreamRequest:
    """Check the query of a stream route, whose parameters are `allowed`.

    Raises RequestError (400) naming the parameter.
    """
    unknown = sorted(
        name
        for name in request.query.keys() - allowed - set(_LAST_EVENT_ID_PARAMETERS)
        if not name.lower().startswith("x-amz-")  # a presigned URL's signature
    )
    if unknown:
        known = ", ".join(sorted({*allowed, _LAST_EVENT_ID_PARAMETERS[0]}))
        raise RequestError(
            400,
            "unknown_parameter",
            f"unknown query parameter {_shown(unknown[0])}; known: {known}",
        )
    return StreamRequest(
        filter=StreamFilter(
            sentiments=parse_sentiments(request.query.get("sentiment")),
            tickers=parse_tickers(request.query.get("ticker")),
        ),
        backfill=_parse_backfill(request.query.get("backfill")),
        last_event_id=_last_event_id(request),
        received_ms=request.received_ms,
    )


def parse_sentiments(value: str | None) -> tuple[str, ...]:
    """`positive,negative` -> the sentiments in a fixed order; None means all."""
    if value is None:
        return SENTIMENTS
    wanted = {part.strip() for part in value.split(",")}
    if not wanted <= set(SENTIMENTS):
        raise RequestError(
            400,
            "invalid_parameter",
            "sentiment: a comma-separated list of " + ", ".join(SENTIMENTS),
        )
    return tuple(name for name in SENTIMENTS if name in wanted)


def parse_tickers(value: str | None) -> frozenset[str]:
    """`aapl,MSFT` -> {'AAPL', 'MSFT'}; None means any."""
    if value is None:
        return frozenset()
    parts = [part.strip() for part in value.split(",")]
    if len(parts) > _MAX_TICKERS or not all(map(_TICKER.fullmatch, parts)):
        raise RequestError(
            400,
            "invalid_parameter",
            f"ticker: a comma-separated list of at most {_MAX_TICKERS},"
            " each 1 to 16 of letters, digits, . ^ = -",
        )
    # In this order: "\u0131BM".upper() is "IBM".
    return frozenset(part.upper() for part in parts)


def _parse_backfill(value: str | None) -> int:
    if value is None:
        return 0
    if not (
        value.isascii() and value.isdigit() and len(value) <= 4 and int(value) <= _MAX_BACKFILL
    ):
        raise RequestError(
            400, "invalid_parameter", f"backfill: a whole number from 0 to {_MAX_BACKFILL}"
        )
    return int(value)


def _last_event_id(request: Request) -> str | None:
    """The header wins: a browser that reconnects keeps the URL of its first visit, so an id in
    the query would rewind it every time."""
    if header := request.headers.get("last-event-id"):
        return header
    for name in _LAST_EVENT_ID_PARAMETERS:
        if value := request.query.get(name):
            return value
    return None


def _function_url(event: dict[str, Any], context: dict[str, Any], http: dict[str, Any]) -> Request:
    raw_query = event.get("rawQueryString")
    iam = _mapping(_mapping(context.get("authorizer")).get("iam"))
    return Request(
        method=http["method"].upper(),
        path=_path(event.get("rawPath")),
        query=_parse_query(raw_query if isinstance(raw_query, str) else ""),
        headers=_headers(event.get("headers")),
        caller_arn=_caller(iam.get("userArn")),
        received_ms=_epoch_ms(context.get("timeEpoch")),
    )


def _rest_api(event: dict[str, Any], context: dict[str, Any]) -> Request:
    single = _mapping(event.get("queryStringParameters"))
    query = {name: str(value) for name, value in single.items() if value is not None}
    query |= _last_of_each(event.get("multiValueQueryStringParameters"))
    headers = _headers(_last_of_each(event.get("multiValueHeaders")))
    return Request(
        method=event["httpMethod"].upper(),
        path=_path(event.get("path")),
        query=_refuse_replacement(query),
        headers=headers | _headers(event.get("headers")),
        caller_arn=_caller(_mapping(context.get("identity")).get("userArn")),
        received_ms=_epoch_ms(context.get("requestTimeEpoch")),
    )


def _parse_query(raw: str) -> dict[str, str]:
    """A repeated key means its last value, as a proxy that appends would expect. What is not
    UTF-8 is replaced here and refused afterwards."""
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise RequestError(
            400, "invalid_query", f"more than {_MAX_PARAMETERS} query parameters"
        ) from error
    return _refuse_replacement(dict(pairs))


def _refuse_replacement(query: dict[str, str]) -> dict[str, str]:
    for name, value in query.items():
        if "\ufffd" in name or "\ufffd" in value:
            raise RequestError(400, "invalid_query", f"{_shown(name)}: not percent-encoded UTF-8")
    return query


def _shown(name: str) -> str:
    """A name if it looks like one. It may be a token that was pasted into the wrong place: of that,
    the first characters say of which kind it is, and no more."""
    if _PARAMETER_NAME.fullmatch(name):
        return f"'{name}'"
    return f"'{_NO_NAME.split(name, maxsplit=1)[0][:_MAX_SHOWN]}…'"


def _path(value: object) -> str:
    return value if isinstance(value, str) and value.startswith("/") else "/"


def _headers(value: object) -> dict[str, str]:
    return {
        str(name).lower(): text for name, text in _mapping(value).items() if isinstance(text, str)
    }


def _last_of_each(value: object) -> dict[str, str]:
    """API Gateway's maps of lists, of headers or of query parameters."""
    return {
        name: str(values[-1])
        for name, values in _mapping(value).items()
        if isinstance(values, list) and values
    }


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _epoch_ms(value: object) -> int | None:
    return value if type(value) is int else None


def _caller(arn: object) -> str | None:
    """A user's ARN as it is; for an assumed role the role's ARN, since sessions come and go."""
    if not isinstance(arn, str) or not arn:
        return None
    if match := _ASSUMED_ROLE.fullmatch(arn):
        partition, account, role = match.groups()
        return f"arn:{partition}:iam::{account}:role/{role}"
    return arn
