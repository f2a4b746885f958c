"""What an environment does between the end of an answer and its next `/next`: release, last
metrics, flush. The client has its answer by then, but nobody else can use the environment."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from tests.bench.figures import Figure, Kind, Target
from tests.bench.functions import Function, service, stream_event
from tests.bench.run import Run, figure
from tests.bench.standins.runtime_api import SAMPLED
from tests.bench.trees import NOW

ROW = "after"
# With `ready`, `end`, the acquire, the polls, the release and their requests about 50 spans.
_BACKFILL = "30"


@dataclass(frozen=True, slots=True)
class AfterResponse:
    elapsed_ms: float
    spans: int


def measure(run: Run) -> list[Figure]:
    run.progress.begin("Ending sampled streams")
    with ExitStack() as opened:
        functions = {
            tree.name: opened.enter_context(
                service(tree, run.aws, SSE_MAX_STREAM_SECONDS="1", SSE_POLL_SECONDS="1")
            )
            for tree in run.trees
        }
        for function in functions.values():
            _one(run, function)  # the first flush in an environment imports the exporter
        subjects = {name: partial(_one, run, function) for name, function in functions.items()}
        taken = run.in_turn(run.rounds(10, 40), subjects)
    spans = statistics.median(answer.spans for answer in taken[NOW])
    return [
        figure(
            ROW,
            "elapsed from the last byte to /next",
            "ms",
            taken,
            lambda answer: answer.elapsed_ms,
            target=Target(Kind.VALUE, 15),
            note=f"{spans:g} spans a stream, a collector that answers at once, a warm environment",
        )
    ]


def _one(run: Run, function: Function) -> AfterResponse:
    answer = function.invoke(stream_event(backfill=_BACKFILL), trace_header=SAMPLED)
    return AfterResponse(answer.after_response_ms, run.aws.spans())
