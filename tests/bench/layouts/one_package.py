"""Where the bench meets code by its name: the layout with everything in `lambdas.sse_streaming`.

An adapter for another layout does the same and is named in tests/bench/trees.py. As the handler
(`tests.bench.layouts.one_package.handler`) its import does BENCH_TASK in the place of a function:
- `blocks`: the runtime loop, with a handler whose event says how many ready blocks the body yields
  and the pause before each;
- `eager`: the service, with everything imported and built before it asks for its first event.

And `dispatch_kinds` gives processes/dispatches.py what it measures.
"""

from __future__ import annotations

import asyncio
import json
import os
import pkgutil
import time
from collections.abc import AsyncGenerator, Callable
from importlib import import_module
from typing import Any

_PACKAGE = "lambdas.sse_streaming"
_ENTRYPOINT = f"{_PACKAGE}.entrypoint"


# blocks


def serve_blocks() -> None:
    from lambdas.sse_streaming.runtime.invocation import FunctionEnvironment, LambdaContext
    from lambdas.sse_streaming.runtime.loop import run
    from lambdas.sse_streaming.runtime.response import StreamingResponse, StreamOutcome

    async def body(blocks: int, block: bytes, pause_seconds: float) -> AsyncGenerator[bytes, None]:
        yield b": open\n\n"
        if pause_seconds:
            for _ in range(blocks):
                await asyncio.sleep(pause_seconds)
                yield block
        else:
            for _ in range(blocks):
                yield block

    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        assert outcome is StreamOutcome.COMPLETED, error

    def handler(event: bytes, context: LambdaContext) -> StreamingResponse:
        wanted = json.loads(event)
        blocks = body(wanted["blocks"], wanted["block"].encode(), wanted["pause_seconds"])
        headers = {"content-type": "text/event-stream"}
        return StreamingResponse(200, headers, blocks, finish, stall_seconds=30)

    run(
        handler,
        environment=FunctionEnvironment.from_environ(os.environ),
        environ=os.environ,
        normalise_trace_header=lambda header: header,
    )


# eager


def serve_eagerly() -> None:
    from lambdas.sse_streaming.tracing.streaming import StreamTracing

    from lambdas.sse_streaming.aws import Lazy

    package = import_module(_PACKAGE)
    for module in pkgutil.walk_packages(package.__path__, f"{_PACKAGE}."):
        if module.name != _ENTRYPOINT:
            import_module(module.name)

    make_lazy, make_tracing = Lazy.__init__, StreamTracing.__init__

    def build_at_once(lazy: Lazy[Any], build: Callable[[], Any]) -> None:
        make_lazy(lazy, build)
        lazy()

    def with_tracer(tracing: StreamTracing, *arguments: Any) -> None:
        make_tracing(tracing, *arguments)
        tracing._own_tracer()
        tracing.delivery._wire = tracing._make_wire()

    Lazy.__init__ = build_at_once  # type: ignore[method-assign,assignment]
    StreamTracing.__init__ = with_tracer  # type: ignore[method-assign,assignment]
    import_module(_ENTRYPOINT)


# tracing


def dispatch_kinds() -> dict[str, Callable[[], Callable[[], None]]]:
    """By kind, what makes a stream's dispatch; called anew for each measurement."""
    from lambdas.sse_streaming.clock import SystemClock
    from lambdas.sse_streaming.tracing.delivery import Outcome, SpanDelivery
    from lambdas.sse_streaming.tracing.header import parse_trace_header
    from lambdas.sse_streaming.tracing.streaming import StreamTracing

    from lambdas.sse_streaming.settings import Settings

    class NoWire:
        rejected_spans = 0

        def post(self, spans: object, timeout_seconds: float) -> Outcome:
            return Outcome.DELIVERED

    required = {
        "SSE_ITEMS_TABLE": "items",
        "SSE_CONNECTIONS_TABLE": "connections",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "OTEL_SERVICE_NAME": "bench",
    }
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled="

    def dispatch(sampled: str, spent: int = 0, **settings: str) -> Callable[[], None]:
        tracing = StreamTracing(Settings.from_environ({**required, **settings}), {}, SystemClock())
        tracing.delivery = SpanDelivery(NoWire, flush_seconds=5)
        trace = tracing.start_stream(parse_trace_header(header + sampled))
        wall_ns = time.time_ns

        def one() -> None:
            trace.dispatched(wall_ns(), "sentiment", 12.0, False)

        for _ in range(spent):
            one()
        return one

    return {
        "within": lambda: dispatch("1"),
        "beyond": lambda: dispatch("1", spent=1000),
        "unsampled": lambda: dispatch("0"),
        "off": lambda: dispatch("1", OTEL_SDK_DISABLED="true"),
    }


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    {"blocks": serve_blocks, "eager": serve_eagerly}[os.environ["BENCH_TASK"]]()
