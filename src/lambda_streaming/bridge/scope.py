"""A Request as the scope of ASGI's `http` connections, and the route that a framework notes there.
Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from lambda_streaming.bridge.types import Scope
from lambda_streaming.requests import Request

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ASCII = "".join(map(chr, range(128)))


def http_scope(request: Request, *, state: Mapping[str, Any], deadline: float | None) -> Scope:
    """The app may change the scope, and `state` on its first level; nothing of it is shared.

    `spec_version` 2.4 promises OSError from `send` once the client is known to be gone. Starlette
    then needs no second task that waits for `http.disconnect`.
    """
    scheme = _scheme(request.headers)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version,
        "method": request.method.upper(),
        "scheme": scheme,
        "path": request.path,
        "raw_path": _ascii(request.raw_path),
        "root_path": request.root_path,
        "query_string": _ascii(request.query_string),
        "headers": _headers(request.headers.pairs, len(request.body)),
        "client": None if request.client is None else (request.client, 0),
        "server": _server(request.headers, scheme),
        "state": dict(state),
        "extensions": {},
        # Mangum's names, which apps already look for.
        "aws.event": request.event,
        "aws.context": request.context,
        "aws.deadline": deadline,
    }


def framework_route(scope: Scope) -> str | None:
    """With the paths of the mounts that it is below; None before the framework has looked, where it
    found none, and without a framework.

    Starlette, and with it FastAPI, keeps the innermost match in the request's own scope, and adds
    to its `root_path` what each mount consumed (starlette/routing.py, Mount.matches, 1.10).
    """
    route = scope.get("route")
    name = getattr(route, "path_format", None) or getattr(route, "path", None)
    if isinstance(name, str) and name:
        is_mount = hasattr(route, "routes")  # whose app tells nothing of its own
        return _mounted_below(scope) + ("/{path}" if is_mount else name)
    litestars = scope.get("path_template")
    return litestars if isinstance(litestars, str) and litestars else None


def _mounted_below(scope: Scope) -> str:
    """What the mounts consumed, with the names of their parameters in the place of the values."""
    root_path, outer = scope.get("root_path", ""), scope.get("app_root_path")
    if not isinstance(outer, str) or not isinstance(root_path, str):
        return ""
    consumed = root_path.removeprefix(outer)
    values = scope.get("path_params")
    if not isinstance(values, Mapping):
        return consumed
    names = {str(value): f"{{{name}}}" for name, value in values.items()}
    return "/".join(names.get(segment, segment) for segment in consumed.split("/"))


def _headers(pairs: Iterable[tuple[str, str]], body_bytes: int) -> list[tuple[bytes, bytes]]:
    """Content-Length is that of the body as the app gets it: events have that of the base64."""
    length = b"%d" % body_bytes
    headers: list[tuple[bytes, bytes]] = []
    has_length = False
    for name, value in pairs:
        lowered = name.lower()
        if lowered == "content-length":
            if not has_length:
                headers.append((b"content-length", length))
            has_length = True
        else:
            headers.append((_octets(lowered), _octets(value)))
    if body_bytes and not has_length:
        headers.append((b"content-length", length))
    return headers


def _octets(text: str) -> bytes:
    """A header's bytes: front doors decode them as Latin-1 or as UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _ascii(text: str) -> bytes:
    """Of a path or a query in which some client left out the percent-encoding, too."""
    if not text.isascii():
        text = quote(text, safe=_ASCII, errors="replace")
    return text.encode("ascii")


def _scheme(headers: Mapping[str, str]) -> str:
    """That of the client's connection; proxies append theirs."""
    forwarded = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return forwarded if forwarded in _DEFAULT_PORTS else "https"


def _server(headers: Mapping[str, str], scheme: str) -> tuple[str, int] | None:
    """Of the Host header, whose port, where it has none that is one, is the front door's."""
    authority = headers.get("host", "").strip()
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = authority.partition(":")
    if not host:
        return None
    forwarded = headers.get("x-forwarded-port", "").partition(",")[0]
    return host, _port(port) or _port(forwarded) or _DEFAULT_PORTS[scheme]


def _port(text: str) -> int | None:
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    return None
