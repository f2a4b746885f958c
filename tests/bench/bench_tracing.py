"""What tracing adds to one event block, against one bare OpenTelemetry span with five attributes.

Run from the root of the repository: `PYTHONPATH=src:. python tests/bench/bench_tracing.py`. CPU
time, interleaved, the best of several rounds of each.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from lambdas.sse_streaming.settings import Settings
from lambdas.sse_streaming.tracing.step import Trace
from tests.fakes.spans import SAMPLED, TracingWorld
from tests.fakes.streams import make_settings

WITHIN_BUDGET_LIMIT = 1.5
BEYOND_BUDGET_LIMIT = 0.2
SPANS = 100
"""In one measurement: less than the default budget, so that every one is inside of it."""

UNSAMPLED = SAMPLED.replace("Sampled=1", "Sampled=0")


def bare_span() -> Callable[[], None]:
    tracer = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False).get_tracer("bench")

    def one() -> None:
        span = tracer.start_span(
            "sse_event_dispatch",
            attributes={"event_type": "sentiment", "latency_ms": 12.0, "c": True, "d": 4, "e": "5"},
        )
        span.end()

    return one


def dispatch(
    settings: Settings, header: str, prepare: Callable[[Trace], None]
) -> Callable[[], None]:
    world = TracingWorld(settings)
    trace = world.start(header)
    prepare(trace)
    wall_ns = time.time_ns

    def one() -> None:
        trace.record(
            "sse_event_dispatch",
            wall_ns(),
            event_type="sentiment",
            is_cold_start=False,
            latency_ms=12.0,
        )

    return one


def spend_budget(trace: Trace) -> None:
    for _ in range(1000):
        trace.record(
            "sse_event_dispatch",
            time.time_ns(),
            event_type="sentiment",
            is_cold_start=False,
            latency_ms=12.0,
        )


def microseconds(one: Callable[[], None]) -> float:
    start = time.process_time()
    for _ in range(SPANS):
        one()
    return (time.process_time() - start) / SPANS * 1e6


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds

    def nothing(trace: Trace) -> None: ...

    budget = make_settings()
    off = make_settings(OTEL_SDK_DISABLED="true")
    kinds: dict[str, Callable[[], Callable[[], None]]] = {
        "bare OTel span": bare_span,
        "sampled, within budget": lambda: dispatch(budget, SAMPLED, nothing),
        "sampled, beyond budget": lambda: dispatch(budget, SAMPLED, spend_budget),
        "unsampled": lambda: dispatch(budget, UNSAMPLED, nothing),
        "kill switch": lambda: dispatch(off, SAMPLED, nothing),
    }
    best = dict.fromkeys(kinds, float("inf"))
    for _ in range(rounds):
        for name, make in kinds.items():
            best[name] = min(best[name], microseconds(make()))
    bare = best["bare OTel span"]
    limits = {
        "sampled, within budget": WITHIN_BUDGET_LIMIT,
        "sampled, beyond budget": BEYOND_BUDGET_LIMIT,
        "unsampled": BEYOND_BUDGET_LIMIT,
        "kill switch": BEYOND_BUDGET_LIMIT,
    }
    for name, cost in best.items():
        limit = f" (limit {limits[name]})" if name in limits else ""
        sys.stdout.write(f"{name:24} {cost:6.2f} us per event, ratio {cost / bare:.2f}{limit}\n")
    return 0 if all(best[name] / bare <= limit for name, limit in limits.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
