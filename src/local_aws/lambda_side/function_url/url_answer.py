"""A streamed answer as a Function URL passes it on."""

from __future__ import annotations

from collections.abc import Mapping

from local_aws.lambda_side.doors.http_request import Pairs
from local_aws.lambda_side.doors.prelude import Prelude
from local_aws.lambda_side.function_url import cors
from local_aws.lambda_side.function_url.url_errors import refuse
from local_aws.lambda_side.invocation import Invocation, ResponseHead
from local_aws.servers.http_connection import HttpConnection

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "trailer", "upgrade"})
_OWN_HEADERS = frozenset({"date", "x-amzn-requestid", "x-amzn-trace-id"})


class UrlAnswer:
    """The answer to one request; no idle limit is documented."""

    idle_seconds = None

    def __init__(self, http: HttpConnection, request_headers: Mapping[str, str]) -> None:
        self._http = http
        self._request_headers = request_headers

    def plain(self, head: ResponseHead) -> Prelude:
        """Passed on raw, as a 200 (https://github.com/aws/aws-lambda-go/issues/610)."""
        content_type = head.content_type or "application/octet-stream"
        return Prelude(200, (("Content-Type", content_type),))

    def headers(self, prelude: Prelude, invocation: Invocation) -> Pairs:
        """Content-Length is renamed (https://github.com/cargo-lambda/cargo-lambda/issues/862)."""
        headers: Pairs = []
        for name, value in prelude.headers:
            lowered = name.lower()
            if lowered == "content-length":
                headers.append(("x-amzn-remapped-content-length", value))
            elif lowered not in _HOP_BY_HOP and lowered not in _OWN_HEADERS:
                headers.append((name, value))
        headers += [("Set-Cookie", cookie) for cookie in prelude.cookies]
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", "application/octet-stream"))
        headers += [
            ("x-amzn-RequestId", invocation.request_id),
            ("X-Amzn-Trace-Id", invocation.trace.client_header),
        ]
        return cors.with_cors(self._request_headers, headers)

    async def refuse(self, status: int, invocation: Invocation) -> None:
        await refuse(
            self._http, status, trace=invocation.trace, request_headers=self._request_headers
        )
