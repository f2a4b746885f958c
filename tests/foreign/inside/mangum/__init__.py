"""Stands in for Mangum in its own tests: `Mangum(app, …)` is `asgi(app, …)`.

What its tests import besides comes from the original, which FOREIGN_PACKAGE names. What is more
here than in Mangum by design is taken away, so that the rest is compared: keys of the scope, the
Content-Length of bodies, an ALB's statusDescription. Errors have other names here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from lambda_streaming import asgi
from lambda_streaming.bridge.lifespan import LifespanError

__path__.append(os.path.join(os.environ["FOREIGN_PACKAGE"], "mangum"))

from mangum.adapter import DEFAULT_TEXT_MIME_TYPES  # noqa: E402
from mangum.exceptions import ConfigurationError, LifespanFailure  # noqa: E402
from mangum.scopes import as_mangums  # noqa: E402

__all__ = ["Mangum"]


class Mangum:
    def __init__(
        self,
        app: Callable[..., Any],
        lifespan: Any = "auto",
        api_gateway_base_path: str = "/",
        text_mime_types: Collection[str] | None = None,
        exclude_headers: Collection[str] | None = None,
        **others: Any,
    ) -> None:
        self.app = app
        self.lifespan = lifespan
        self._others = others
        self._length_is_the_apps = False
        self._is_given_types = text_mime_types is not None
        self.config: dict[str, Any] = {
            "api_gateway_base_path": api_gateway_base_path,
            "text_mime_types": [*(text_mime_types or DEFAULT_TEXT_MIME_TYPES)],
            "exclude_headers": [*(exclude_headers or ())],
        }
        self._served: tuple[list[str], Callable[..., Any]] | None = None
        self._handler()

    def __call__(self, event: Mapping[str, Any], context: object) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._handler()(event, context)
        except LifespanError as error:
            raise LifespanFailure(str(error)) from error
        answer.pop("statusDescription", None)  # a load balancer's, which Mangum leaves out
        for headers in (answer.get("headers"), answer.get("multiValueHeaders")):
            if headers is not None and not self._length_is_the_apps:
                headers.pop("content-length", None)
        return answer

    def _handler(self) -> Callable[..., Any]:
        """Tests change `config` after the handler was made."""
        types = self.config["text_mime_types"]
        if self._served is None or self._served[0] != types:
            own = types if self._is_given_types or types != DEFAULT_TEXT_MIME_TYPES else None
            try:
                handler = asgi(
                    self._call,
                    lifespan=self.lifespan,
                    invoke_mode="buffer",
                    api_gateway_base_path=self._base_path(),
                    text_mime_types=own,
                    exclude_headers=self.config["exclude_headers"],
                    **self._others,
                )
            except ValueError as error:
                raise ConfigurationError(str(error)) from error
            self._served = [*types], handler
        return self._served[1]

    def _base_path(self) -> str | None:
        """Mangum's default is the empty one, which leaves out a stage that is in no path."""
        given: str = self.config["api_gateway_base_path"]
        return None if given in ("", "/") else given

    async def _call(self, scope: Any, receive: Any, send: Any) -> None:
        async def note_length(message: Any) -> None:
            if message["type"] == "http.response.start":
                names = {bytes(name).lower() for name, _ in message.get("headers", ())}
                self._length_is_the_apps = b"content-length" in names
            await send(message)

        translated = as_mangums(scope) if scope["type"] == "http" else scope
        if scope["type"] == "http" and self.lifespan != "off":
            translated["state"] = scope["state"]
        self._length_is_the_apps = False
        await self.app(translated, receive, note_length)
