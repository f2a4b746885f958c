"""What clients are told of a request that failed: never an exception's text."""

from __future__ import annotations

import json

from lambda_streaming.requests import Request
from lambda_streaming.responses import Response


class DeadlineReached(Exception):
    """A handler or its stream was cut off because the invocation's deadline came near."""

    public_type = "Deadline"


def server_error(request: Request, detail: str | None = None) -> Response:
    """uvicorn's answer to an exception; as JSON for clients that prefer it."""
    message = "Internal Server Error"
    if prefers_json(request.headers.get("accept", "")):
        return json_error(500, "internal_error", detail or message, request)
    text = "" if request.method == "HEAD" else f"{message}: {detail}" if detail else message
    return Response(text, 500, {"content-type": "text/plain; charset=utf-8"})


def deadline_passed(request: Request) -> Response:
    message = "the app did not answer before the function's deadline"
    return json_error(504, "deadline", message, request)


def json_error(status: int, code: str, message: str, request: Request) -> Response:
    """`code` is one word for programs, `message` a sentence for people."""
    given = getattr(request.context, "aws_request_id", None)
    request_id = given if isinstance(given, str) else None  # a test's context may be a mock
    document = {"error": {"code": code, "message": message, "request_id": request_id}}
    text = "" if request.method == "HEAD" else json.dumps(document, separators=(",", ":"))
    return Response(text, status, {"content-type": "application/json"})


def prefers_json(accept: str) -> bool:
    """Whether an Accept header names JSON, with a weight that plain text does not have, or has
    later (RFC 9110, section 12.5.1)."""
    weights: dict[str, float] = {}
    for item in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in item.split(";"))
        kind = "json" if _is_json(media_type) else media_type
        weights.setdefault(kind, _weight(parameters))
    json_weight = weights.get("json", 0.0)
    text_weight = weights.get("text/plain", weights.get("text/*", 0.0))
    if json_weight == text_weight and "text/plain" in weights:
        return json_weight > 0 and list(weights).index("json") < list(weights).index("text/plain")
    return json_weight > text_weight


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
