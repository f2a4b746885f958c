"""Where the bench meets code by its name: a library, `lambda_streaming`, and the service on it.

An adapter for another layout does the same and is named in tests/bench/trees.py. As the handler
(`tests.bench.layouts.library.handler`) it does BENCH_TASK in the place of a function:
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
    from lambda_streaming.responses import StreamingResponse, StreamOutcome
    from lambda_streaming.runtime.invocation import FunctionEnvironment, LambdaContext
    from lambda_streaming.runtime.invoker import LifeCycle
    from lambda_streaming.runtime.loop import run

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
        return StreamingResponse(blocks, 200, headers, finish=finish)

    run(
        handler,
        environment=FunctionEnvironment.from_environ(os.environ),
        life_cycle=LifeCycle(),
    )


# eager


def load_eagerly() -> None:

    from lambda_streaming.tracing.tracer import Tracing
    from lambdas.sse_streaming.aws.clients import Lazy

    for name in ("lambda_streaming", _PACKAGE):
        for module in pkgutil.walk_packages(import_module(name).__path__, f"{name}."):
            if module.name != _ENTRYPOINT:
                import_module(module.name)

    make_lazy, make_tracing = Lazy.__init__, Tracing.__init__

    def build_at_once(lazy: Lazy[Any], build: Callable[[], Any]) -> None:
        make_lazy(lazy, build)
        lazy()

    def with_tracer(tracing: Tracing, *arguments: Any, **named: Any) -> None:
        make_tracing(tracing, *arguments, **named)
        tracing._own_tracer()
        tracing._make_exporter()

    Lazy.__init__ = build_at_once  # type: ignore[method-assign,assignment]
    Tracing.__init__ = with_tracer  # type: ignore[method-assign,assignment]


# tracing


def dispatch_kinds() -> dict[str, Callable[[], Callable[[], None]]]:
    """By kind, what makes a stream's dispatch; called anew for each measurement."""

    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    from lambda_streaming.clock import SystemClock
    from lambda_streaming.tracing.header import parse_trace_header
    from lambda_streaming.tracing.settings import TracingSettings
    from lambda_streaming.tracing.tracer import Tracing

    class NoExporter(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled="

    def dispatch(sampled: str, spent: int = 0, *, is_disabled: bool = False) -> Callable[[], None]:
        settings = TracingSettings("bench", is_disabled=is_disabled, flush_seconds=5)
        tracing = Tracing(settings, {}, SystemClock(), make_exporter=NoExporter)
        trace = tracing.start("sse_stream", parse_trace_header(header + sampled))
        wall_ns = time.time_ns

        def one() -> None:
            trace.record(
                "sse_event_dispatch",
                wall_ns(),
                event_type="sentiment",
                is_cold_start=False,
                latency_ms=12.0,
            )

        for _ in range(spent):
            one()
        return one

    return {
        "within": lambda: dispatch("1"),
        "beyond": lambda: dispatch("1", spent=1000),
        "unsampled": lambda: dispatch("0"),
        "off": lambda: dispatch("1", is_disabled=True),
    }


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    {"blocks": serve_blocks, "eager": load_eagerly}[os.environ["BENCH_TASK"]]()
    handler = import_module(_ENTRYPOINT).handler
