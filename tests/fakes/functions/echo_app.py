"""An ASGI app that answers as its request's header `x-plan` says, and tells what it saw."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lambda_streaming import asgi

Message = MutableMapping[str, Any]
FailsAt = Literal["", "before", "silent", "started", "in_body", "unfinished"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Texts are bytes in Latin-1. With `tells` what the app saw is the first block.

    `fails_at`: before it starts, by returning without an answer, when it has started, in its body,
    by returning without the end of its body.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    blocks: tuple[str, ...] = ()
    tells: bool = False
    is_one_message: bool = False
    has_length: bool = False
    fails_at: FailsAt = ""

    def encoded(self) -> str:
        return urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def of(cls, text: bytes) -> Plan:
        return cls(**json.loads(urlsafe_b64decode(text)))


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    if scope["type"] == "lifespan":
        raise NotImplementedError
    plan = Plan.of(dict(scope["headers"])[b"x-plan"])
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    if plan.fails_at == "before":
        raise LookupError("before the start")
    if plan.fails_at == "silent":
        return
    blocks = [block.encode("latin-1") for block in plan.blocks]
    if plan.tells:
        blocks.insert(0, json.dumps(_seen(scope, body)).encode())
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in plan.headers]
    if plan.has_length:
        headers.append((b"content-length", b"%d" % sum(map(len, blocks))))
    await send({"type": "http.response.start", "status": plan.status, "headers": headers})
    if plan.fails_at == "started":
        raise LookupError("after the start")
    if plan.is_one_message and not plan.fails_at:
        await send({"type": "http.response.body", "body": b"".join(blocks)})
        return
    for block in blocks:
        await send({"type": "http.response.body", "body": block, "more_body": True})
    if plan.fails_at == "in_body":
        raise LookupError("in the body")
    if plan.fails_at != "unfinished":
        await send({"type": "http.response.body"})


def _seen(scope: MutableMapping[str, Any], body: bytes) -> dict[str, Any]:
    return {
        "method": scope["method"],
        "http_version": scope["http_version"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode("latin-1"),
        "query_string": scope["query_string"].decode("latin-1"),
        "root_path": scope["root_path"],
        "headers": [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ],
        "body": body.decode("latin-1"),
    }


handler = asgi(app, tracing="off")
