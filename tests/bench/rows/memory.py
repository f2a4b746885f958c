"""Peak memory after very many events, flushes included, against the same imports at rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tests.bench.figures import Figure, Kind, Target
from tests.bench.functions import stream_event
from tests.bench.rows.feed import full_feed, passed
from tests.bench.run import PEER, Run, figure
from tests.bench.standins.runtime_api import SAMPLED
from tests.bench.trees import NOW, Tree

ROW = "memory"
_STREAM_BYTES = 20_000_000  # 50,000 to 60,000 events
_QUICK_STREAMS, _FULL_STREAMS = 4, 18
_FIRST_BLOCK = 1


@dataclass(frozen=True, slots=True)
class Peak:
    """Resident memory at its peak, in bytes: after the first and the last of many streams."""

    first_bytes: int
    last_bytes: int
    events: int = 0


def measure(
    run: Run, *, streams: int | None = None, stream_bytes: int = _STREAM_BYTES
) -> list[Figure]:
    run.progress.begin("Passing many events through one process")
    count = streams or (_FULL_STREAMS if run.is_full else _QUICK_STREAMS)
    subjects = {tree.name: partial(_busy, run, tree, count, stream_bytes) for tree in run.trees}
    taken = run.in_turn(run.rounds(1, 3), subjects | {PEER: partial(_idle, run, run.trees[0])})
    ours = taken[NOW][-1]
    return [
        figure(
            ROW,
            "peak after many events",
            "MB",
            taken,
            lambda peak: peak.last_bytes / 1e6,
            target=Target(Kind.RATIO, 1.25),
            peer=PEER,
            peer_name="same imports idle",
            note=(
                f"{ours.events:,} events in {count} sampled streams; from the first to the last"
                f" the peak grew by {(ours.last_bytes - ours.first_bytes) / 1e6:.1f} MB"
            ),
        )
    ]


def _busy(run: Run, tree: Tree, streams: int, stream_bytes: int) -> Peak:
    with full_feed(run, tree, stream_bytes) as function:
        events, first = 0, 0
        for number in range(streams):
            events += passed(function, SAMPLED).events
            first = first or function.processes.peak_memory_bytes()
            run.progress.step(f"{events:,} events, stream {number + 1} of {streams}")
        return Peak(first, function.processes.peak_memory_bytes(), events)


def _idle(run: Run, tree: Tree) -> Peak:
    """One stream that ends with its first block: it has loaded all that a longer one needs."""
    with full_feed(run, tree, _FIRST_BLOCK) as function:
        function.invoke(stream_event(), trace_header=SAMPLED)
        peak = function.processes.peak_memory_bytes()
        return Peak(peak, peak)
