"""An MCP server over streamable HTTP, with the official SDK."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import BaseModel, Field
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lambda_streaming import asgi, step


@dataclass
class Environment:
    """What requests share that are answered by the same process."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started_at: float = field(default_factory=time.monotonic)
    calls: int = 0


class Answered(BaseModel):
    environment: str
    calls: int
    age_seconds: float


@asynccontextmanager
async def lifespan(_server: MCPServer[Environment]) -> AsyncIterator[Environment]:
    """Once for each execution environment, in its init phase: pools and clients belong here."""
    yield Environment()


# Without `subscriptions/listen`: its streams stand open, billed, for news that only this
# environment has.
server = MCPServer("lambda-streaming-example", lifespan=lifespan, subscriptions=False)


@server.tool()
async def whereabouts(context: Context[Environment]) -> Answered:
    """Which execution environment answers, and how many calls it has answered."""
    here = context.request_context.lifespan_context
    here.calls += 1
    return Answered(
        environment=here.id,
        calls=here.calls,
        age_seconds=round(time.monotonic() - here.started_at, 3),
    )


@server.tool()
async def transcribe(
    minutes: Annotated[int, Field(ge=1, le=60)], context: Context[Environment]
) -> str:
    """A transcript of so many minutes, made slowly enough that its progress is worth telling."""
    words: list[str] = []
    for minute in range(1, minutes + 1):
        with step("transcribe_minute", minute=minute):
            await asyncio.sleep(0.1)
            words.append(f"[minute {minute}]")
        # Each notification is an event of the response that is being streamed.
        await context.report_progress(minute, minutes, f"minute {minute} of {minutes}")
    return " ".join(words)


class PostOnly:
    """The other methods belong to sessions: GET opens a stream that stands, billed, and DELETE ends
    a session. A server without sessions answers both with 405."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["method"] != "POST":
            app = Response(status_code=405, headers={"allow": "POST"})
        await app(scope, receive, send)


app = server.streamable_http_app(
    # A session would live in one environment's memory, and the next request may reach another.
    stateless_http=True,
    # Guards servers on a developer's own computer against DNS rebinding, by their Host. This one
    # is public, under a name that is not known here.
    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
)
app.add_middleware(PostOnly)

handler = asgi(app)
