"""JSON answers and the headers of streams."""

from __future__ import annotations

from collections.abc import Mapping

from lambda_streaming.responses import BufferedResponse, Response
from lambda_streaming.sse import to_json

_JSON = {"content-type": "application/json", "cache-control": "no-store"}


class RequestError(Exception):
    """The client asked for something it cannot have: answered with `status`, never an alarm."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.headers = headers or {}
        self.status = status
        self.code = code
        self.message = message


def json_answer(
    status: int, content: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    return Response(to_json(content).encode(), status, {**_JSON, **(headers or {})})


def error_answer(error: RequestError, request_id: str) -> Response:
    body = _error_body(error.code, error.message, request_id)
    return json_answer(error.status, body, error.headers)


def not_http_answer(message: str, request_id: str) -> BufferedResponse:
    """For an event from another source: in the shape that proxy integrations read."""
    body = to_json(_error_body("not_http", message, request_id))
    content = {"statusCode": 400, "headers": {"content-type": "application/json"}, "body": body}
    return BufferedResponse(to_json(content).encode())


def stream_headers(trace_root: str | None) -> dict[str, str]:
    """`no-transform` and `x-accel-buffering` keep proxies from compressing and buffering."""
    headers = {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
    }
    if trace_root is not None:
        headers["x-amzn-trace-id"] = f"Root={trace_root}"
    return headers


def _error_body(code: str, message: str, request_id: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message, "request_id": request_id}}
