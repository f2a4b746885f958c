"""Who may use the console: its own pages, and programs. The rules: servers/page_refusal.py."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from local_aws.servers.page_refusal import Refusal, shown

_CONSOLE_NAMES = ("127.0.0.1", "localhost", "[::1]")
_METHODS_WITH_A_BODY = ("POST", "PUT", "PATCH")


class ConsoleAccess:
    """ASGI middleware: lets the console's own pages through, and programs; bodies are JSON."""

    def __init__(self, app: ASGIApp, *, more_hosts: Collection[str] = ()) -> None:
        """`more_hosts`: names (host or host:port) besides the loopback names under which the
        person who started the stack opens the console.
        """
        self._app = app
        self._more_hosts = frozenset(host.lower() for host in more_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        answer = Response(refusal.body, refusal.status, media_type="application/json")
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers, port = Headers(scope=scope), scope["server"][1] or 80
        host, origin = headers.get("host", ""), headers.get("origin")
        own_hosts = {f"{name}:{port}" for name in _CONSOLE_NAMES}
        if port == 80:
            own_hosts.update(_CONSOLE_NAMES)
        if host.lower() not in own_hosts | self._more_hosts:
            return Refusal(
                403,
                "foreign_host",
                f"The console is http://127.0.0.1:{port}, not {shown(host)}. If you open it under"
                " that name on purpose, start it with LOCAL_CONSOLE_HOSTS=host:port.",
            )
        own_origins = {f"http://{one}" for one in own_hosts | self._more_hosts}
        own_origins |= {f"https://{one}" for one in self._more_hosts}
        if origin is not None and origin.lower() not in own_origins:
            return Refusal(
                403,
                "foreign_origin",
                f"Only the console's own pages may ask, not {shown(origin)}.",
            )
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] in _METHODS_WITH_A_BODY and media_type != "application/json":
            return Refusal(
                415,
                "unsupported_media_type",
                f"Send Content-Type: application/json, not {shown(media_type)}.",
            )
        return None
