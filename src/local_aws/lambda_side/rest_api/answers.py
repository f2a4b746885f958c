"""A function's answer as a REST API passes it on, streamed or buffered."""

from __future__ import annotations

from local_aws.lambda_side.doors.buffered_response import Problem
from local_aws.lambda_side.doors.http_request import Pairs
from local_aws.lambda_side.doors.invoker import Arrival
from local_aws.lambda_side.doors.prelude import Prelude, PreludeError
from local_aws.lambda_side.doors.proxy_answer import (
    MalformedAnswerError,
    ProxyAnswer,
    answer_object,
    body_of,
    headers_of,
    multi_value_headers_of,
    status_of,
)
from local_aws.lambda_side.invocation import Invocation, ResponseHead
from local_aws.lambda_side.rest_api import gateway
from local_aws.servers.http_connection import HttpConnection

_MAX_ANSWER_BYTES = 10 * 1024 * 1024


class StreamedAnswer:
    """Response transfer mode STREAM.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
    """

    def __init__(self, http: HttpConnection, *, idle_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self._http = http

    def plain(self, head: ResponseHead) -> Prelude:
        raise PreludeError(
            "the function did not stream with a prelude, and this API needs one"
            " (STREAMING_INVOKE_MODE=stream)"
        )

    def headers(self, prelude: Prelude, invocation: Invocation) -> Pairs:
        repeated = {name.lower() for name, _ in prelude.multi_value_headers}
        single = [pair for pair in prelude.headers if pair[0].lower() not in repeated]
        cookies = [("Set-Cookie", cookie) for cookie in prelude.cookies]
        return gateway.client_headers(
            [*single, *prelude.multi_value_headers, *cookies],
            request_id=invocation.request_id,
            trace=invocation.trace,
        )

    async def refuse(self, status: int, invocation: Invocation) -> None:
        own = gateway.own_headers(invocation.request_id, invocation.trace)
        await gateway.refuse(self._http, status, own)


class BufferedAnswer:
    """Response transfer mode BUFFERED."""

    def __init__(self, *, answer_seconds: float) -> None:
        self.answer_seconds = answer_seconds

    def read_answer(self, payload: bytes, arrival: Arrival) -> ProxyAnswer:
        """Both header maps count; where they name the same header, the map of lists alone."""
        document = answer_object(payload)
        several = multi_value_headers_of(document)
        named = {name.lower() for name, _ in several}
        single = [pair for pair in headers_of(document) if pair[0].lower() not in named]
        body = body_of(document)
        if len(body) > _MAX_ANSWER_BYTES:
            raise MalformedAnswerError(f"the body has more than {_MAX_ANSWER_BYTES} bytes")
        headers = gateway.client_headers(
            [*single, *several], request_id=arrival.request_id, trace=arrival.trace
        )
        return ProxyAnswer(status_of(document), headers, body)

    async def explain(self, http: HttpConnection, problem: Problem, arrival: Arrival) -> int:
        status = gateway.STATUS_OF[problem]
        await gateway.refuse(http, status, gateway.own_headers(arrival.request_id, arrival.trace))
        return status
