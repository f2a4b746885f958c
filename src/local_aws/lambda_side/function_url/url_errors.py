"""The errors that a Function URL answers with by itself.

AWS does not document their bodies; these are the shapes seen in public, and for 429 the fields of
Lambda's own TooManyRequestsException.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from local_aws.lambda_side.doors.http_request import Pairs
from local_aws.lambda_side.function_url import cors
from local_aws.servers.http_connection import HttpConnection
from local_aws.traces.trace_header import Trace

_ERRORS: Mapping[int, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        400: ("BadRequestException", {"Message": "Bad Request"}),
        413: ("RequestEntityTooLargeException", {"Message": "Request Entity Too Large"}),
        429: (
            "TooManyRequestsException",
            {
                "Reason": "ConcurrentInvocationLimitExceeded",
                "Type": "User",
                "Message": "Rate Exceeded.",
            },
        ),
        502: ("InternalServerErrorException", {"Message": "Internal Server Error"}),
    }
)


async def refuse(
    http: HttpConnection,
    status: int,
    *,
    trace: Trace | None = None,
    request_headers: Mapping[str, str] | None = None,
) -> None:
    """Answers with 400, 413, 429 or 502 on Lambda's behalf."""
    error_type, body = _ERRORS[status]
    headers: Pairs = [("Content-Type", "application/json"), ("x-amzn-ErrorType", error_type)]
    if trace is not None:
        headers.append(("X-Amzn-Trace-Id", trace.client_header))
    await http.respond(
        status, cors.with_cors(request_headers or {}, headers), json.dumps(body).encode()
    )
