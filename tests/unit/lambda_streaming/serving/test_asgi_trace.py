"""What a request of an ASGI app becomes in a trace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from lambda_streaming.bridge.adapter import AsgiAdapter, Limits
from lambda_streaming.bridge.types import AsgiApp
from lambda_streaming.requests import Request
from lambda_streaming.responses import StreamOutcome
from lambda_streaming.serving.recording.asgi_trace import AsgiTracing
from lambda_streaming.serving.recording.tracers import Tracers
from lambda_streaming.tracing.handler_phase import HandlerPhase
from lambda_streaming.tracing.invocations import Invocations
from lambda_streaming.tracing.settings import TracingSettings
from tests.fakes.asgi import FakeRuntime
from tests.fakes.asgi import hello as asgi_hello
from tests.fakes.spans import SAMPLED, TracingWorld
from tests.fakes.virtual_time import run_virtually


class Recorder:
    """The part of the X-Ray SDK's recorder that the handler phase uses."""

    def __init__(self) -> None:
        self.annotations: dict[str, object] = {}

    @contextmanager
    def in_subsegment(self, name: str) -> Any:
        yield self.current_subsegment()

    def current_subsegment(self) -> Any:
        return SimpleNamespace(id="abc", sampled=True, put_annotation=self.annotations.__setitem__)


class World:
    def __init__(self) -> None:
        self.tracing = TracingWorld()
        self.recorder = Recorder()
        invocations = Invocations()
        self._recorded = AsgiTracing(
            Tracers(
                TracingSettings("orders"),
                invocations,
                HandlerPhase(self.recorder, "orders", invocations, {}),
                self.tracing.tracing,
                self.tracing.clock,
                self.recorder,
                lambda span_id: None,
            )
        )

    def ask(
        self,
        app: AsgiApp,
        path: str = "/",
        *,
        during: Callable[[FakeRuntime], None] = lambda runtime: None,
        **limits: float,
    ) -> dict[str, ReadableSpan]:
        """The spans of one request by name. `during` is called two seconds later."""
        context = SimpleNamespace(trace_header=SAMPLED, deadline=None, aws_request_id="request-1")
        request = Request("GET", path, path, context=context)

        async def scenario() -> None:
            loop = asyncio.get_running_loop()
            start_ns = self.tracing.clock.now_ns
            self.tracing.clock.wall_ns = lambda: start_ns + round(loop.time() * 1e9)  # type: ignore[method-assign]
            runtime = FakeRuntime(
                AsgiAdapter(
                    app,
                    limits=Limits(**limits),
                    observe=self._recorded.observe,
                    monotonic=loop.time,
                )
            )
            loop.call_later(2, during, runtime)
            await self._recorded.run(lambda: runtime.answer(request), request)  # type: ignore[arg-type, return-value]

        run_virtually(scenario())
        return {span.name: span for span in self.tracing.flushed()}


async def ticks(request: StarletteRequest) -> StreamingResponse:
    async def body() -> AsyncIterator[str]:
        while True:
            yield "data: x\n\n"
            await asyncio.sleep(1)

    return StreamingResponse(body(), media_type="text/event-stream")


def lost(runtime: FakeRuntime) -> None:
    runtime.write.is_lost = True


def stopped(outcome: StreamOutcome) -> Callable[[FakeRuntime], None]:
    return lambda runtime: runtime.stop(outcome)


@pytest.mark.parametrize(
    ("end_reason", "during"),
    [
        ("max_stream", lambda runtime: None),
        ("lost", lost),
        ("stalled", stopped(StreamOutcome.STALLED)),
        ("closed", stopped(StreamOutcome.CLOSED)),
        ("shutdown", stopped(StreamOutcome.SHUTDOWN)),
    ],
)
def test_a_planned_end_is_no_fault(end_reason: str, during: Callable[[FakeRuntime], None]) -> None:
    spans = World().ask(Starlette(routes=[Route("/", ticks)]), during=during, max_stream_seconds=5)

    root = spans["asgi_request"]
    assert root.attributes is not None
    assert root.attributes["end_reason"] == end_reason
    assert "asgi_background" not in spans
    assert [span.status.status_code for span in spans.values()] == [StatusCode.UNSET] * len(spans)
    assert not root.events


async def hello(request: StarletteRequest) -> PlainTextResponse:
    return PlainTextResponse("hello")


def framework() -> AsgiApp:
    inner = FastAPI()
    router = APIRouter(prefix="/orders")

    @router.get("/{order_id}")
    async def order(order_id: str) -> str:
        return order_id

    inner.include_router(router)
    return Starlette(
        routes=[
            Route("/items/{item_id}", hello),
            Mount("/v1", routes=[Mount("/{tenant}", routes=[Route("/items/{item_id}", hello)])]),
            Mount("/api", inner),
            Mount("/raw", asgi_hello),
        ]
    )


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/items/7", "/items/{item_id}"),
        ("/v1/acme/items/7", "/v1/{tenant}/items/{item_id}"),
        ("/api/orders/7", "/api/orders/{order_id}"),
        ("/raw/some/thing", "/raw/{path}"),
        ("/nothing/here", "(no route)"),
    ],
)
def test_a_route_is_named_as_the_framework_names_it(path: str, route: str) -> None:
    """With the mounts and the router that it is below; what was not found has one name."""
    world = World()
    root = world.ask(framework(), path)["asgi_request"]

    assert root.attributes is not None
    assert root.attributes["http.route"] == route
    assert world.recorder.annotations["route"] == route


def test_without_a_framework_the_path_is_named_without_what_may_be_a_secret() -> None:
    root = World().ask(asgi_hello, f"/reset/{'a1' * 12}/v1")["asgi_request"]

    assert root.attributes is not None
    assert root.attributes["http.route"] == "/reset/{id}/v1"
