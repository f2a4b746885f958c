"""What a request for a stream asks for: the filter, the backfill, the position presented. Pure."""

from __future__ import annotations

import re

from lambda_streaming.doors.reading import shown_name
from lambda_streaming.requests import Request
from lambdas.sse_streaming.feed.request import SENTIMENTS, StreamFilter, StreamRequest
from lambdas.sse_streaming.http.answers import RequestError

_TICKER = re.compile(r"[A-Za-z0-9.^=-]{1,16}")
_MAX_TICKERS = 50
_MAX_BACKFILL = 100
_LAST_EVENT_ID_PARAMETERS = ("last_event_id", "lastEventId", "Last-Event-ID")


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
            f"unknown query parameter {shown_name(unknown[0])}; known: {known}",
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
    # Only after the check: "\u0131BM".upper() is "IBM".
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
    if request.last_event_id is not None:
        return request.last_event_id
    for name in _LAST_EVENT_ID_PARAMETERS:
        if value := request.query.get(name):
            return value
    return None
