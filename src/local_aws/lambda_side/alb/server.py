"""The load balancer: it cannot stream, and 1 MB is the most in either direction.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType

from local_aws.lambda_side.alb.events import alb_event
from local_aws.lambda_side.doors.buffered_response import Problem, answer_buffered
from local_aws.lambda_side.doors.http_request import HttpRequest
from local_aws.lambda_side.doors.invoker import Arrival, Invoker
from local_aws.lambda_side.doors.proxy_answer import (
    MalformedAnswerError,
    ProxyAnswer,
    answer_object,
    body_of,
    headers_of,
    multi_value_headers_of,
    status_of,
)
from local_aws.servers.http_connection import HttpConnection

_MAX_BYTES = 1024 * 1024
_STATUS_OF: Mapping[Problem, int] = MappingProxyType(
    {
        Problem.NO_HTTP: 400,
        Problem.TOO_LARGE: 413,
        Problem.THROTTLED: 502,
        Problem.FAILED: 502,
        Problem.MALFORMED: 502,
        Problem.TIMED_OUT: 502,
    }
)
_PAGE = (
    "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n"
    "<center><h1>{status}</h1></center>\r\n</body>\r\n</html>\r\n"
)


class LoadBalancer:
    max_request_bytes = _MAX_BYTES
    answer_seconds = None

    def __init__(self, invoker: Invoker, *, multi_value: bool, say: Callable[[str], None]) -> None:
        self._invoker = invoker
        self._multi_value = multi_value
        self._say = say

    async def refuse(self, http: HttpConnection, status: int) -> None:
        await _respond(http, status)

    async def answer(self, http: HttpConnection, request: HttpRequest) -> None:
        arrival = self._invoker.arrival(request)
        event = alb_event(request, arrival, multi_value=self._multi_value)
        await answer_buffered(
            http, request, event, arrival, door=self, invoker=self._invoker, say=self._say
        )

    def read_answer(self, payload: bytes, arrival: Arrival) -> ProxyAnswer:
        """The header map is of the event's kind; the other kind counts for nothing."""
        if len(payload) > _MAX_BYTES:
            raise MalformedAnswerError(f"the answer has more than {_MAX_BYTES} bytes")
        document = answer_object(payload)
        kept, ignored = (
            (multi_value_headers_of, "headers")
            if self._multi_value
            else (headers_of, "multiValueHeaders")
        )
        headers = kept(document)
        if not headers and document.get(ignored):
            self._say(f"The load balancer reads no {ignored} of this target group's answers.")
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "application/octet-stream"))
        return ProxyAnswer(
            status_of(document), [*headers, ("Server", "awselb/2.0")], body_of(document)
        )

    async def explain(self, http: HttpConnection, problem: Problem, arrival: Arrival) -> int:
        await _respond(http, _STATUS_OF[problem])
        return _STATUS_OF[problem]


async def _respond(http: HttpConnection, status: int) -> None:
    line = f"{status} {HTTPStatus(status).phrase}"
    headers = [("Server", "awselb/2.0"), ("Content-Type", "text/html")]
    await http.respond(status, headers, _PAGE.format(status=line).encode())
