"""Application Load Balancers with a Lambda target. They cannot stream.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any
from urllib.parse import unquote

from lambda_streaming.doors import answering, reading
from lambda_streaming.doors.answering import AnswerOptions
from lambda_streaming.doors.door import Streams
from lambda_streaming.requests import Request
from lambda_streaming.responses import Response

NAME = "alb"
STREAMS = Streams.NEVER

MAX_BYTES = 1024 * 1024


def recognises(event: Mapping[str, Any]) -> bool:
    return reading.has_method_1_0(event) and isinstance(event["requestContext"].get("elb"), dict)


def read_request(event: Mapping[str, Any], context: object) -> Request:
    """Path and query come percent-encoded. The event has no address of its own: the load balancer
    appends the client's to `x-forwarded-for`."""
    raw_path = reading.encoded_path(event.get("path"))
    content = reading.body(event)
    headers = reading.headers_1_0(event, len(content))
    forwarded = reading.forwarded_addresses(headers)
    return Request(
        method=event["httpMethod"].upper(),
        raw_path=raw_path,
        path=unquote(raw_path),
        query=reading.decoded_query(query_string := _query_string(event)),
        query_string=query_string,
        headers=headers,
        body=content,
        client=forwarded[-1] if forwarded else None,
        event=event,
        context=context,
    )


def _query_string(event: Mapping[str, Any]) -> str:
    pairs = reading.query_pairs(event)
    return reading.percent_encoded("&".join(f"{name}={value}" for name, value in pairs))


def answer(
    response: Response,
    event: Mapping[str, Any],
    options: AnswerOptions = answering.NO_OPTIONS,
) -> dict[str, Any]:
    """A target group with multi-value headers takes only a map of lists, one without only a map of
    texts: as in its events."""
    parts = answering.take_apart(response, event, options)
    document = {
        "statusCode": parts.status,
        "statusDescription": _description(parts.status),
        "body": parts.body,
        "isBase64Encoded": parts.is_base64,
    }
    if "multiValueHeaders" in event:
        cookies = {"set-cookie": parts.cookies} if parts.cookies else {}
        document["multiValueHeaders"] = parts.fields | cookies
    else:
        spelt = zip(_spellings("set-cookie"), parts.cookies, strict=False)
        document["headers"] = parts.joined() | dict(spelt)
    return answering.within(
        document,
        MAX_BYTES,
        "that an ALB takes: answer from a Function URL instead, which streams",
    )


def _spellings(name: str) -> Iterator[str]:
    """A name again and again, each time with other letters in upper case: a map of texts has no
    other place for several cookies, and they cannot be joined (RFC 6265, section 3)."""
    return map("".join, product(*((c, c.upper()) if c.isalpha() else (c,) for c in name)))


def _description(status: int) -> str:
    from http import HTTPStatus  # costs a millisecond that other doors do not need

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unassigned"
