"""What a request for a stream asks for: the filter, the backfill, the position presented. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from lambda_streaming.doors.reading import shown_name
from lambda_streaming.requests import Request
from lambda_streaming.tracing.header import client_chose_trace
from lambdas.sse_streaming.feeds.request import NOTHING, StreamFilter, StreamRequest, read_filter
from lambdas.sse_streaming.feeds.schema import (
    BACKFILL_PARAMETER,
    LAST_EVENT_ID_PARAMETERS,
    SIGNATURE_PREFIX,
    Caller,
    FeedSchema,
)
from lambdas.sse_streaming.http.answers import RequestError

_MAX_BACKFILL = 100


def parse_stream_request(request: Request, schema: FeedSchema) -> StreamRequest:
    """Check the query of a stream.

    Raises BadRequest or RequestError (400) naming the parameter, RequestError (403) for a caller
    that has no feed.
    """
    _refuse_unknown(request, {*schema.parameters, BACKFILL_PARAMETER})
    wanted = read_filter(schema, request.query, caller_partition(request, schema))
    return _stream_request(request, wanted)


def parse_saved_stream_request(request: Request) -> StreamRequest:
    """The same for a saved configuration's stream, whose filter comes from the table."""
    _refuse_unknown(request, {BACKFILL_PARAMETER})
    return _stream_request(request, NOTHING)


def caller_partition(request: Request, schema: FeedSchema) -> str | None:
    """The caller's own partition; None where the schema gives callers none.

    Raises RequestError (403).
    """
    if not isinstance(schema.chosen_by, Caller):
        return None
    partition = schema.chosen_by.partition(request)
    if partition is None:
        raise RequestError(403, "forbidden", "the request names no caller who has a feed")
    return partition


def _refuse_unknown(request: Request, allowed: Iterable[str]) -> None:
    known = {*allowed, *LAST_EVENT_ID_PARAMETERS}
    unknown = sorted(
        name
        for name in request.query.keys() - known
        if not name.lower().startswith(SIGNATURE_PREFIX)
    )
    if unknown:
        told = ", ".join(sorted({*allowed, LAST_EVENT_ID_PARAMETERS[0]}))
        raise RequestError(
            400,
            "unknown_parameter",
            f"unknown query parameter {shown_name(unknown[0])}; known: {told}",
        )


def _stream_request(request: Request, wanted: StreamFilter) -> StreamRequest:
    return StreamRequest(
        filter=wanted,
        backfill=_parse_backfill(request.query.get(BACKFILL_PARAMETER)),
        last_event_id=_last_event_id(request),
        received_ms=request.received_ms,
        trace_from_client=client_chose_trace(request),
    )


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
    for name in LAST_EVENT_ID_PARAMETERS:
        if value := request.query.get(name):
            return value
    return None
