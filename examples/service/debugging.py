"""`DEBUG=true`: each request's event and context in the log, and a header that says so.

Of an event the whole shape is shown, but only those values that are known to be harmless. Whatever
clients write into headers, cookies, queries and bodies is not, nor is what an authorizer adds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

HEADERS = {"X-Debug-Mode": "true"}

_HARMLESS = frozenset(
    (
        *("version", "routeKey", "rawPath", "path", "resource", "httpMethod", "isBase64Encoded"),
        *("method", "protocol", "stage", "requestId", "apiId", "domainName", "domainPrefix"),
        *("time", "timeEpoch", "requestTime", "requestTimeEpoch", "resourcePath"),
    )
)
_CLIENTS = frozenset(
    (
        *("headers", "multiValueHeaders", "queryStringParameters", "authorizer", "identity"),
        *("multiValueQueryStringParameters", "pathParameters", "stageVariables", "authentication"),
    )
)
"""Below these no name of a value is harmless: a header may be called `version`."""

_CONTEXT = ("function_name", "function_version", "memory_limit_in_mb", "aws_request_id")


class DebugMode:
    """A middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        event, context = scope.get("aws.event"), scope.get("aws.context")
        logger.debug(
            "request %s: event %s, context %s",
            getattr(context, "aws_request_id", "local"),
            json.dumps(shown(event)),
            json.dumps({name: getattr(context, name, None) for name in _CONTEXT}),
        )

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_marked)


def shown(value: Any, *, is_harmless: bool = False, is_clients: bool = False) -> Any:
    """The value with its shape, and without what may be a secret."""
    if isinstance(value, Mapping):
        return {
            str(name): shown(
                below,
                is_harmless=name in _HARMLESS and not is_clients,
                is_clients=is_clients or name in _CLIENTS,
            )
            for name, below in value.items()
        }
    if isinstance(value, list):
        return [shown(one, is_clients=is_clients) for one in value]
    if value is None or is_harmless:
        return value
    return f"({type(value).__name__}, {len(str(value))} characters)"
