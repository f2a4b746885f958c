"""The least that can pass a FastAPI app's answer to the Runtime API: what no host of it undercuts.

Nothing is checked, no limit is kept, and but for path and query every request is the same.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import MutableMapping
from typing import Any

from tests.bench.peers.fastapi_app import app
from tests.bench.processes.bare_socket import ANSWER, HOST, PORT, PRELUDE, chunk, end, next_event

_HEAD = ANSWER + chunk(PRELUDE) + chunk(bytes(8))
_SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "https",
    "root_path": "",
    "headers": [(b"host", b"localhost")],
    "client": ("127.0.0.1", 0),
    "server": ("localhost", 443),
}


async def answer(sock: socket.socket, event: dict[str, Any]) -> None:
    messages = [{"type": "http.request", "body": b"", "more_body": False}]
    unsent = _HEAD

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.get_running_loop().create_future()  # a client that stays
        return messages.pop()

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal unsent
        if block := message.get("body"):
            sock.sendall(unsent + chunk(block))
            unsent = b""

    path, query = event["rawPath"], event["rawQueryString"].encode()
    await app({**_SCOPE, "path": path, "query_string": query, "state": {}}, receive, send)
    end(sock)


async def main() -> None:
    with socket.create_connection((HOST, PORT)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (event := next_event(sock)) is not None:
            await answer(sock, event)


if __name__ == "__main__":
    asyncio.run(main())
