"""Who may use the stack's ports.

They listen on loopback, where any page that a browser of this computer shows can send requests:

* across origins, as a form does. The page cannot read the answer, but the request is served. The
  browser names the page in Origin, and sends JSON only after a preflight, which is not granted:
  https://fetch.spec.whatwg.org/#http-cors-protocol
* to a name of its own whose address has become 127.0.0.1 meanwhile (DNS rebinding). The page may
  read the answer. Host is still the page's name.

Each port has its rule:

* console: its own pages, and programs, under its own names (`ConsoleAccess`);
* Runtime API, collector, the proxies before DynamoDB and CloudWatch, moto: programs, which send
  nothing that marks a browser (`page_refusal`);
* dynoxide: has no such rule and answers every origin, so it listens where no page can find it (see
  engines.py);
* X-Ray daemon: UDP, and no page can write a datagram that begins as the daemon's do;
* Function URL: everybody, as on AWS, where its CORS configuration narrows what pages may read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_CONSOLE_NAMES = ("127.0.0.1", "localhost", "[::1]")
_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?", re.ASCII | re.IGNORECASE)
# An image's request, for one, has no Origin. Node's fetch sends sec-fetch-mode, but this one only a
# browser does: https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
_MARKS_OF_A_PAGE = ("origin", "sec-fetch-site")
_METHODS_WITH_A_BODY = ("POST", "PUT", "PATCH")
_SHOWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    code: str
    message: str

    @property
    def body(self) -> bytes:
        return json.dumps({"error": {"code": self.code, "message": self.message}}).encode()


def page_refusal(header: Callable[[str], str | None]) -> Refusal | None:
    """Why a port for programs refuses this request; None when it does not.

    `header` gives a header by its lower-case name. The port in Host does not count: a request that
    comes through one of the proxies has the proxy's.
    """
    for mark in _MARKS_OF_A_PAGE:
        if header(mark) is not None:
            return Refusal(403, "page", f"This port is for programs: a page sent {mark}.")
    host = header("host")
    if host is None or _LOOPBACK.fullmatch(host):
        return None
    return Refusal(
        403, "foreign_host", f"This port is for programs of this computer, not for {_shown(host)}."
    )


class ConsoleAccess:
    """ASGI middleware: lets the console's own pages through, and programs; bodies are JSON."""

    def __init__(self, app: ASGIApp, *, more_hosts: Collection[str] = ()) -> None:
        """`more_hosts` are host or host:port, as a browser shows them, under which the person who
        started the stack opens the console besides the loopback names.
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
                f"The console is http://127.0.0.1:{port}, not {_shown(host)}. If you open it under"
                " that name on purpose, start it with LOCAL_CONSOLE_HOSTS=host:port.",
            )
        own_origins = {f"http://{one}" for one in own_hosts | self._more_hosts}
        own_origins |= {f"https://{one}" for one in self._more_hosts}
        if origin is not None and origin.lower() not in own_origins:
            return Refusal(
                403,
                "foreign_origin",
                f"Only the console's own pages may ask, not {_shown(origin)}.",
            )
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] in _METHODS_WITH_A_BODY and media_type != "application/json":
            return Refusal(
                415,
                "unsupported_media_type",
                f"Send Content-Type: application/json, not {_shown(media_type)}.",
            )
        return None


def _shown(value: str) -> str:
    return repr(value[:_SHOWN_CHARACTERS])
