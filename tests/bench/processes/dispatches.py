"""What tracing adds to one event block, in CPU time, beside one bare OpenTelemetry span.

Started as `python dispatches.py ADAPTER`; gives a line of JSON for each line that it reads, with
nanoseconds per dispatch by kind.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

DISPATCHES = 100
"""In one measurement: fewer than the default span budget, so that every one is inside of it."""


def bare_span() -> Callable[[], None]:
    tracer = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False).get_tracer("bench")

    def one() -> None:
        tracer.start_span(
            "sse_event_dispatch",
            attributes={"event_type": "sentiment", "latency_ms": 12.0, "c": True, "d": 4, "e": "5"},
        ).end()

    return one


def main(adapter: str) -> None:
    kinds: dict[str, Callable[[], Callable[[], None]]] = {
        "bare": bare_span,
        **import_module(adapter).dispatch_kinds(),
    }
    for _ in sys.stdin:
        measured = {}
        for name, make in kinds.items():
            one = make()
            start = time.process_time_ns()
            for _ in range(DISPATCHES):
                one()
            measured[name] = (time.process_time_ns() - start) / DISPATCHES
        sys.stdout.write(json.dumps(measured) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
