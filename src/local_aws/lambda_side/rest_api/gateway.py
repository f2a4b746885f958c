"""What a REST API answers by itself, and what it makes of a function's headers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from local_aws.lambda_side.doors.buffered_response import Problem
from local_aws.lambda_side.doors.http_request import Pairs
from local_aws.servers.http_connection import HttpConnection
from local_aws.traces.trace_header import Trace

_REMAPPED = frozenset(
    {"connection", "content-length", "content-md5", "date", "server", "www-authenticate"}
)
_DROPPED = frozenset({"transfer-encoding", "trailer", "keep-alive", "upgrade"})
_ERRORS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: ("BadRequestException", "Bad Request"),
        403: ("ForbiddenException", "Forbidden"),
        413: ("RequestTooLargeException", "Request Too Long"),
        500: ("InternalServerErrorException", "Internal server error"),
        502: ("InternalServerErrorException", "Internal server error"),
        504: ("InternalServerErrorException", "Endpoint request timed out"),
    }
)
STATUS_OF: Mapping[Problem, int] = MappingProxyType(
    {
        Problem.NO_HTTP: 400,
        Problem.TOO_LARGE: 413,
        Problem.THROTTLED: 500,
        Problem.FAILED: 502,
        Problem.MALFORMED: 502,
        Problem.TIMED_OUT: 504,
    }
)


def client_headers(pairs: Iterable[tuple[str, str]], *, request_id: str, trace: Trace) -> Pairs:
    """The function's headers as the client gets them; those that the API sets itself renamed."""
    headers: Pairs = []
    for name, value in pairs:
        lowered = name.lower()
        if lowered in _REMAPPED:
            headers.append((f"x-amzn-Remapped-{name}", value))
        elif lowered not in _DROPPED:
            headers.append((name, value))
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    return [*headers, *own_headers(request_id, trace)]


def own_headers(request_id: str, trace: Trace) -> Pairs:
    return [
        ("x-amzn-RequestId", request_id),
        ("x-amz-apigw-id", request_id),
        ("X-Amzn-Trace-Id", f"Root={trace.root}"),
    ]


async def refuse(http: HttpConnection, status: int, more: Pairs | None = None) -> None:
    error_type, message = _ERRORS[status]
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", error_type)]
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    await http.respond(status, [*headers, *(more or [])], body)
