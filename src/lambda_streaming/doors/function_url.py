"""Function URLs, CloudFront before one included: payload format 2.0.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from lambda_streaming.doors import answering, reading
from lambda_streaming.doors.answering import AnswerOptions
from lambda_streaming.doors.door import Streams
from lambda_streaming.requests import Request
from lambda_streaming.responses import Response

NAME = "function_url"
STREAMS = Streams.ALWAYS


def recognises(event: Mapping[str, Any]) -> bool:
    request_context = event.get("requestContext")
    return (
        isinstance(request_context, dict)
        and isinstance(domain_name := request_context.get("domainName"), str)
        and ".lambda-url." in domain_name
        and reading.has_method_2_0(event)
    )


def read_request(event: Mapping[str, Any], context: object) -> Request:
    """The path is `rawPath`: `requestContext.http.path` drops a slash at the end
    (github.com/adamchainz/apig-wsgi/issues/376)."""
    raw_path = reading.encoded_path(event.get("rawPath"))
    return reading.payload_2_0(event, context, raw_path=raw_path, path=unquote(raw_path))


def answer(
    response: Response,
    event: Mapping[str, Any],
    options: AnswerOptions = answering.NO_OPTIONS,
) -> dict[str, Any]:
    return answering.within_lambdas_limit(answering.payload_2_0(response, event, options))
