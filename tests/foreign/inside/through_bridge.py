"""A plugin for pytest: the WSGI bridges of a2wsgi and asgiref, in their own tests, are ours, and
httpx asks them through a handler and the events of a Function URL."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import a2wsgi.wsgi
import asgiref.wsgi
import httpx
import pytest

from lambda_streaming import asgi
from lambda_streaming.bridge.wsgi import wsgi_app


class ThroughFunctionUrl(httpx.AsyncBaseTransport):
    """In the place of httpx.ASGITransport."""

    def __init__(self, app: Any, raise_app_exceptions: bool = True) -> None:
        self._handler = asgi(app, lifespan="off")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = base64.b64encode(await request.aread()).decode()
        event = {
            "version": "2.0",
            "rawPath": request.url.raw_path.decode().partition("?")[0],
            "rawQueryString": request.url.query.decode(),
            "headers": dict(request.headers),
            "requestContext": {
                "domainName": "id.lambda-url.us-east-1.on.aws",
                "http": {"method": request.method, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            },
            "body": body,
            "isBase64Encoded": True,
        }
        answer = await asyncio.to_thread(self._handler, event, None)
        content = answer["body"].encode()
        return httpx.Response(
            answer["statusCode"],
            headers=answer["headers"],
            content=base64.b64decode(content) if answer["isBase64Encoded"] else content,
        )


# Where the tests' modules take them from when they are imported.
_PATCH = pytest.MonkeyPatch()


def pytest_configure() -> None:
    _PATCH.setattr(a2wsgi.wsgi, "WSGIMiddleware", wsgi_app)
    _PATCH.setattr(asgiref.wsgi, "WsgiToAsgi", _without_empty_body)
    _PATCH.setattr(httpx, "ASGITransport", ThroughFunctionUrl)


def pytest_unconfigure() -> None:
    _PATCH.undo()


def _without_empty_body(app: Any) -> Any:
    """asgiref's tests compare the last message, whose empty body it leaves out."""
    bridged = wsgi_app(app)

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        async def send_on(message: Any) -> None:
            if message.get("body") == b"" and not message.get("more_body"):
                message = {"type": message["type"]}
            await send(message)

        await bridged(scope, receive, send_on)

    return serve
