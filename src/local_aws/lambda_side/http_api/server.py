"""The HTTP API: it cannot stream.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType

from local_aws.lambda_side.doors.buffered_response import Problem, answer_buffered
from local_aws.lambda_side.doors.http_request import HttpRequest, Pairs
from local_aws.lambda_side.doors.invoker import MAX_EVENT_BYTES, Arrival, Invoker
from local_aws.lambda_side.doors.proxy_answer import (
    MalformedAnswerError,
    ProxyAnswer,
    answer_object,
    body_of,
    headers_of,
    status_of,
)
from local_aws.lambda_side.http_api.events import http_api_event
from local_aws.servers.http_connection import HttpConnection

_ANSWER_SECONDS = 30.0
_ERRORS: Mapping[Problem, tuple[int, str]] = MappingProxyType(
    {
        Problem.NO_HTTP: (400, "Bad Request"),
        Problem.TOO_LARGE: (413, "Request Entity Too Large"),
        Problem.THROTTLED: (503, "Service Unavailable"),
        Problem.FAILED: (500, "Internal Server Error"),
        Problem.MALFORMED: (500, "Internal Server Error"),
        Problem.TIMED_OUT: (503, "Service Unavailable"),
    }
)


class HttpApi:
    max_request_bytes = 10 * 1024 * 1024

    def __init__(
        self,
        invoker: Invoker,
        *,
        say: Callable[[str], None],
        answer_seconds: float = _ANSWER_SECONDS,
    ) -> None:
        self.answer_seconds = answer_seconds
        self._invoker = invoker
        self._say = say

    async def refuse(self, http: HttpConnection, status: int) -> None:
        await _respond(http, Problem.TOO_LARGE if status == 413 else Problem.NO_HTTP, [])

    async def answer(self, http: HttpConnection, request: HttpRequest) -> None:
        arrival = self._invoker.arrival(request)
        event = http_api_event(request, arrival)
        if len(event) > MAX_EVENT_BYTES:  # Lambda's limit, below the API's own
            await self.explain(http, Problem.TOO_LARGE, arrival)
            return
        await answer_buffered(
            http, request, event, arrival, door=self, invoker=self._invoker, say=self._say
        )

    def read_answer(self, payload: bytes, arrival: Arrival) -> ProxyAnswer:
        """JSON without a statusCode is the body of a 200."""
        own = _own_headers(arrival)
        plain = _plain_json(payload)
        if plain is not None:
            return ProxyAnswer(200, [("Content-Type", "application/json"), *own], plain)
        document = answer_object(payload)
        headers = headers_of(document)
        cookies = document.get("cookies") or []
        if not isinstance(cookies, list) or not all(isinstance(one, str) for one in cookies):
            raise MalformedAnswerError("cookies is not a list of strings")
        headers += [("Set-Cookie", cookie) for cookie in cookies]
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "text/plain; charset=utf-8"))
        return ProxyAnswer(status_of(document), [*headers, *own], body_of(document))

    async def explain(self, http: HttpConnection, problem: Problem, arrival: Arrival) -> int:
        return await _respond(http, problem, _own_headers(arrival))


def _plain_json(payload: bytes) -> bytes | None:
    """The body where the function returned JSON that is no answer's object."""
    try:
        document = json.loads(payload)
    except ValueError:
        return None
    if isinstance(document, dict) and "statusCode" in document:
        return None
    return document.encode() if isinstance(document, str) else payload


def _own_headers(arrival: Arrival) -> Pairs:
    return [("Apigw-Requestid", arrival.request_id)]


async def _respond(http: HttpConnection, problem: Problem, headers: Pairs) -> int:
    status, message = _ERRORS[problem]
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    await http.respond(status, [("Content-Type", "application/json"), *headers], body)
    return status
