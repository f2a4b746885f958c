"""One class for all of them: an event tells its front door itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambda_streaming import asgi
from mangum.scopes import as_mangums


class AnyDoor:
    def __init__(
        self, event: Mapping[str, Any], context: object, config: Mapping[str, Any]
    ) -> None:
        self.scope: dict[str, Any] = {}
        self.body = b""
        base_path = config["api_gateway_base_path"]
        handler = asgi(
            self._note,
            lifespan="off",
            api_gateway_base_path=None if base_path == "/" else base_path,
        )
        self.answer = handler(event, context)

    async def _note(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = as_mangums(scope)
        self.body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})
