"""The console's page and its JSON API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from local_aws.console.access import ConsoleAccess
from local_aws.console.fault_switches import UnknownFaultError
from local_aws.console.sending.form import BadFormError, OutgoingRequest, read_form
from local_aws.feed.items import ItemError, NotWrittenError, parse_item
from local_aws.traces import waterfall
from local_aws.traces.store import TraceStore

PAGE = Path(__file__).parent / "page"
# An item of DynamoDB has at most 400 KB; JSON may write it longer.
_MAX_BODY_BYTES = 1024 * 1024
_MAX_LISTED = 1_000


class ItemWriter(Protocol):
    async def put(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """Publishes an item and gives it back whole.

        Raises ItemError naming what is wrong with it, NotWrittenError when nothing is.
        """


class Streams(Protocol):
    def as_json(self) -> list[dict[str, Any]]:
        """The streams that are open now."""

    def kill(self, trace_id: str) -> bool:
        """Kills the process of one; False if there is no such stream."""


class Faults(Protocol):
    def as_json(self) -> list[dict[str, Any]]:
        """Every fault that can be switched, and whether it is on."""

    async def turn(self, name: str, *, on: bool) -> None:
        """Raises UnknownFaultError."""


class Requests(Protocol):
    def choices(self) -> dict[str, Any]:
        """What the page's form offers."""

    def as_json(self, limit: int) -> list[dict[str, Any]]:
        """The latest to all front doors, newest first."""

    def send(self, request: OutgoingRequest) -> AsyncIterator[dict[str, Any]]:
        """Sends one through a front door, and gives its answer as it arrives."""


def create_console(
    store: TraceStore,
    writer: ItemWriter | None,
    streams: Streams,
    faults: Faults,
    requests: Requests,
    *,
    function_url: str,
    details: Mapping[str, Any] | None = None,
    more_hosts: Collection[str] = (),
) -> Starlette:
    """The console's ASGI application.

    Without a `writer` the function is an app that has no items. `function_url` is where the page
    opens its stream; `details` are added to /api/info; `more_hosts` are those of ConsoleAccess.
    """
    info = {
        "function_url": function_url.rstrip("/"),
        "form": requests.choices(),
        **(details or {}),
    }
    api = _Api(store, writer, streams, faults, requests, info)
    return Starlette(
        routes=[
            Route("/", api.page),
            Route("/api/info", api.get_info),
            Route("/api/traces", api.get_traces),
            Route("/api/traces/{trace_id}", api.get_trace),
            Route("/api/items", api.post_item, methods=["POST"]),
            Route("/api/streams", api.get_streams),
            Route("/api/streams/{trace_id}/kill", api.kill_stream, methods=["POST"]),
            Route("/api/requests", api.get_requests),
            Route("/api/requests", api.send_request, methods=["POST"]),
            Route("/api/faults", api.get_faults),
            Route("/api/faults", api.post_fault, methods=["POST"]),
            Mount("/static", _PageFiles(directory=PAGE)),
        ],
        middleware=[Middleware(ConsoleAccess, more_hosts=more_hosts)],
        exception_handlers={HTTPException: _refuse},
    )


class _Api:
    def __init__(
        self,
        store: TraceStore,
        writer: ItemWriter | None,
        streams: Streams,
        faults: Faults,
        requests: Requests,
        info: Mapping[str, Any],
    ) -> None:
        self._store = store
        self._writer = writer
        self._streams = streams
        self._faults = faults
        self._requests = requests
        self._info = info

    async def page(self, request: Request) -> Response:
        html = (PAGE / "index.html").read_bytes()
        # Everything but the stream is of this origin. No other page may frame this one: it could
        # guide a click onto a button here.
        policy = (
            "default-src 'self'; img-src data:; frame-ancestors 'none';"
            f" connect-src 'self' {self._info['function_url']}"
        )
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
        return Response(html, media_type="text/html", headers=headers)

    async def get_info(self, request: Request) -> Response:
        return _json(self._info)

    async def get_traces(self, request: Request) -> Response:
        annotation = None
        if sought := request.query_params.get("annotation", "").strip():
            key, equals, value = (part.strip() for part in sought.partition("="))
            if not key or not equals or not value:
                raise HTTPException(400, f"annotation is key=value, not {sought!r}")
            annotation = (key, value)
        limit = _limit(request.query_params.get("limit", "100"))
        return _json({"traces": self._store.traces(annotation=annotation, limit=limit)})

    async def get_trace(self, request: Request) -> Response:
        trace_id = request.path_params["trace_id"]
        trace = self._store.trace(trace_id)
        if trace is None:
            raise HTTPException(404, f"no trace {trace_id} here: not sampled, or not flushed yet")
        return _json({**trace, "layout": waterfall.lay_out(trace).as_json()})

    async def post_item(self, request: Request) -> Response:
        if self._writer is None:
            raise HTTPException(404, "the app that runs here has no items")
        item = await _read_item(request)
        try:
            written = await self._writer.put(item)
        except ItemError as error:
            raise HTTPException(400, str(error)) from error
        except NotWrittenError as error:
            raise HTTPException(503, str(error)) from error
        return _json(written, status=201)

    async def get_streams(self, request: Request) -> Response:
        return _json({"streams": self._streams.as_json()})

    async def kill_stream(self, request: Request) -> Response:
        trace_id = request.path_params["trace_id"]
        if not self._streams.kill(trace_id):
            raise HTTPException(404, f"no open stream has the trace {trace_id}")
        return _json({"killed": trace_id})

    async def get_requests(self, request: Request) -> Response:
        limit = _limit(request.query_params.get("limit", "100"))
        return _json({"requests": self._requests.as_json(limit)})

    async def send_request(self, request: Request) -> Response:
        """One line of JSON for the head, each chunk, each event and the end, when it arrives."""
        try:
            outgoing = read_form(await _read_json(request))
        except BadFormError as error:
            raise HTTPException(400, str(error)) from error
        headers = {"Cache-Control": "no-store"}
        lines = _lines(self._requests.send(outgoing))
        return StreamingResponse(lines, headers=headers, media_type="application/x-ndjson")

    async def get_faults(self, request: Request) -> Response:
        return _json({"faults": self._faults.as_json()})

    async def post_fault(self, request: Request) -> Response:
        match await _read_json(request):
            case {"name": str(name), "on": bool(on)}:
                pass
            case _:
                raise HTTPException(400, 'the body must be {"name": …, "on": true or false}')
        try:
            await self._faults.turn(name, on=on)
        except UnknownFaultError as error:
            raise HTTPException(400, str(error)) from error
        return await self.get_faults(request)


class _PageFiles(StaticFiles):
    """The page's files, revalidated each time: after an update no old one may be mixed in."""

    def file_response(self, *given: Any, **more: Any) -> Response:
        response = super().file_response(*given, **more)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _limit(text: str) -> int:
    # Length first: int() raises on thousands of digits.
    is_short_number = text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_LISTED))
    if not is_short_number or not 1 <= int(text) <= _MAX_LISTED:
        raise HTTPException(400, f"limit is 1 to {_MAX_LISTED}, not {text[:40]!r}")
    return int(text)


async def _read_item(request: Request) -> dict[str, Any]:
    try:
        return parse_item(await _read_body(request))
    except ItemError as error:
        raise HTTPException(400, f"the body must be one item: {error}") from error


async def _read_json(request: Request) -> Any:
    try:
        return json.loads(await _read_body(request))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body must be JSON") from error


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise HTTPException(413, f"a body has at most {_MAX_BODY_BYTES} bytes")
    return bytes(body)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {
        400: "bad_request",
        404: "not_found",
        405: "method_not_allowed",
        413: "too_large",
        503: "not_written",
    }
    refusal = {"code": code.get(error.status_code, "error"), "message": error.detail}
    return _json({"error": refusal}, status=error.status_code)


async def _lines(values: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    async for value in values:
        yield json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _json(value: Any, *, status: int = 200) -> Response:
    body = json.dumps(value, default=_plain_number, separators=(",", ":")).encode()
    headers = {"Cache-Control": "no-store"}
    return Response(body, status, headers=headers, media_type="application/json")


def _plain_number(value: object) -> int | float:
    """DynamoDB's numbers are decimals. Raises TypeError for anything else that JSON lacks."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
