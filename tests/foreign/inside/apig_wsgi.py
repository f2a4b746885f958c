"""Stands in for apig-wsgi in its own tests: `make_lambda_handler(app, …)` is `wsgi(app, …)`.

Its events leave out what a front door always sends, the requestContext; its answers in format 1.0
have one map of headers, with names as the app spells them, where there are two here, in lower case.
Content-Length is added here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any, TypeAlias

from lambda_streaming import wsgi

__all__ = ["_ExcInfoType", "make_lambda_handler"]

_ExcInfoType: TypeAlias = Any


def make_lambda_handler(
    wsgi_app: Callable[..., Any],
    binary_support: bool | None = None,
    non_binary_content_type_prefixes: Sequence[str] | None = None,
) -> Callable[..., Any]:
    """`binary_support` is always there."""

    def told(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        scope = environ["asgi.scope"]
        event = environ["apig_wsgi.full_event"] = scope["aws.event"]["as given"]
        environ["apig_wsgi.request_context"] = event.get("requestContext")
        environ["apig_wsgi.context"] = scope["aws.context"]
        # Tests read it when the request is over.
        environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read())
        return wsgi_app(environ, start_response)

    handler = wsgi(told, text_mime_types=non_binary_content_type_prefixes)

    def handle(event: dict[str, Any], context: object) -> dict[str, Any]:
        return _as_theirs(handler(_as_sent(event), context), event)

    return handle


def _as_sent(event: dict[str, Any]) -> dict[str, Any]:
    sent = {**event, "as given": event}
    if event.get("version") == "2.0":
        return sent
    request_context = event.get("requestContext") or {}
    if "elb" not in request_context:
        sent["requestContext"] = {"stage": "$default", **request_context}
    return sent


def _as_theirs(answer: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    theirs = {
        "statusCode": answer["statusCode"],
        "isBase64Encoded": answer["isBase64Encoded"],
        "body": answer["body"],
    }
    if event.get("version") == "2.0":
        headers = {n: v for n, v in answer["headers"].items() if n != "content-length"}
        return {**theirs, "headers": headers, "cookies": answer.get("cookies", [])}
    single = {_spelt(name): value for name, value in answer.get("headers", {}).items()}
    lists = {_spelt(name): value for name, value in answer.get("multiValueHeaders", {}).items()}
    for headers in (single, lists):
        headers.pop("Content-Length", None)
    if "multiValueHeaders" in event or "headers" not in event:
        return {**theirs, "multiValueHeaders": {n: [v] for n, v in single.items()} | lists}
    return {**theirs, "headers": single | {name: values[-1] for name, values in lists.items()}}


def _spelt(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
