"""What is recorded of the requests of an app: everything, or nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from lambda_streaming.bridge.observer import NoObserver, Observer
from lambda_streaming.requests import Request
from lambda_streaming.responses import Response, StreamingResponse

Answer: TypeAlias = Response | StreamingResponse


class Instruments(Protocol):
    async def run(self, call: Callable[[], Awaitable[Answer]], request: Request) -> Answer:
        """Calls the function of a request."""

    async def run_asgi(self, call: Callable[[], Awaitable[Answer]], request: Request) -> Answer:
        """Calls an ASGI app, which `observe` tells more of."""

    async def run_event(self, call: Callable[[], Awaitable[Any]], context: object) -> Any:
        """Calls what handles an event that is no request."""

    def observe(self, request: Request) -> Observer:
        """Is told what becomes of a request in an ASGI app."""


class NoInstruments:
    async def run(self, call: Callable[[], Awaitable[Answer]], request: Request) -> Answer:
        return await call()

    async def run_asgi(self, call: Callable[[], Awaitable[Answer]], request: Request) -> Answer:
        return await call()

    async def run_event(self, call: Callable[[], Awaitable[Any]], context: object) -> Any:
        return await call()

    def observe(self, request: Request) -> Observer:
        return NoObserver()
