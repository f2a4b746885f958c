"""Who may use the stack's ports.

They listen on loopback, where any page that a browser of this computer shows can send requests:

* across origins, as a form does. The page cannot read the answer, but the request is served. The
  browser names the page in Origin, and sends JSON only after a preflight, which is not granted:
  https://fetch.spec.whatwg.org/#http-cors-protocol
* to a name of its own whose address has become 127.0.0.1 meanwhile (DNS rebinding). The page may
  read the answer. Host is still the page's name.

Each port has its rule:

* console: its own pages, and programs, under its own names (`ConsoleAccess`). It sends what they
  ask for to the front doors named last, and to nothing else;
* Invoke API, Runtime API, collector, the proxies before DynamoDB and CloudWatch, moto: programs,
  which send nothing that marks a browser (`page_refusal`);
* dynoxide: has no rule and answers every origin, so it listens at a random address (engines.py);
* X-Ray daemon: UDP, and no page can write a datagram that begins as the daemon's do;
* Function URL, REST API, HTTP API, load balancer: everybody, as on AWS. Pages may read what the
  URL's CORS configuration, or the function's own headers behind the other doors, let them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?", re.ASCII | re.IGNORECASE)
# An image's request, for one, has no Origin. Node's fetch sends sec-fetch-mode, but this one only a
# browser does: https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
_MARKS_OF_A_PAGE = ("origin", "sec-fetch-site")
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
        403, "foreign_host", f"This port is for programs of this computer, not for {shown(host)}."
    )


def shown(value: str) -> str:
    """A value of the request, cut to the length that a refusal repeats."""
    return repr(value[:_SHOWN_CHARACTERS])
