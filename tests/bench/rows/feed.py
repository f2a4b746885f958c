"""From a poll's result to the socket, unsampled, against what the wire alone costs.

The bare loop is cheap by luck in rounds in which its reader never sleeps, so that `send` has nobody
to wake. Behind ours the reader always sleeps while the next block is made. So medians are compared.
"""

from __future__ import annotations

import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from tests.bench.figures import Figure, Kind, Target
from tests.bench.functions import (
    SERVICE,
    Command,
    Function,
    program,
    stream_event,
)
from tests.bench.run import PEER, Run, figure
from tests.bench.standins.runtime_api import UNSAMPLED
from tests.bench.trees import ROOT, Tree

ROW = "feed"
PACED = "paced wire"
_STREAM_BYTES = 3_000_000
_ITEMS_PER_POLL = 1_000


@dataclass(frozen=True, slots=True)
class Passed:
    """A stream that was served to its end."""

    cpu_ns: float
    events: int
    block_bytes: float

    @property
    def cpu_us_per_event(self) -> float:
        return self.cpu_ns / self.events / 1000


def measure(run: Run, *, stream_bytes: int = _STREAM_BYTES) -> list[Figure]:
    run.progress.begin("Passing items from polls to the socket")
    with ExitStack() as opened:
        functions = {
            tree.name: opened.enter_context(full_feed(run, tree, stream_bytes))
            for tree in run.trees
        }
        like, *_ = [passed(function) for function in functions.values()]
        ready = opened.enter_context(program("bare_socket.py", "ready"))
        busy = opened.enter_context(program("bare_socket.py", "busy"))
        subjects = {name: partial(passed, function) for name, function in functions.items()}
        subjects |= {PEER: partial(_wire, ready, like), PACED: partial(_paced_wire, busy, like)}
        taken = run.in_turn(run.rounds(15, 45), subjects)
    paced_us = statistics.median(wire.cpu_us_per_event for wire in taken[PACED])
    return [
        figure(
            ROW,
            "CPU per item, poll result to socket",
            "µs",
            taken,
            lambda stream: stream.cpu_us_per_event,
            target=Target(Kind.MEDIAN_RATIO, 4.0),
            peer=PEER,
            peer_name="bare socket loop, same bytes",
            note=f"at the same pace, with a reader to wake, the wire alone takes {paced_us:.1f} µs",
        )
    ]


def _wire(bare: Function, like: Passed) -> Passed:
    """What sending the same blocks costs."""
    event = {"blocks": like.events, "block": "x" * round(like.block_bytes)}
    return Passed(bare.invoke(event).spent.cpu_ns, like.events, like.block_bytes)


def _paced_wire(bare: Function, like: Passed) -> Passed:
    event = {
        "blocks": like.events,
        "block": "x" * round(like.block_bytes),
        "busy_us": like.cpu_us_per_event,
    }
    cpu_ns = bare.invoke(event).spent.cpu_ns - bare.last_logged("busy")["ns"]
    return Passed(cpu_ns, like.events, like.block_bytes)


def full_feed(run: Run, tree: Tree, stream_bytes: int) -> Function:
    """The service on an index that has new items whenever it is asked, ending at so many bytes.

    The overlap is as short as the polls are frequent, so that a poll's window is as long, in polls,
    as it is at the defaults.
    """
    environ = run.aws.environ(
        SSE_POLL_SECONDS="0.05",
        SSE_OVERLAP_SECONDS="0.5",
        SSE_MAX_STREAM_BYTES=str(stream_bytes),
        SSE_MAX_STREAM_SECONDS="900",
    )
    handler = "tests.bench.processes.feed.handler"
    more = {
        "_HANDLER": handler,
        "BENCH_HANDLER": SERVICE,
        "BENCH_ITEMS_PER_POLL": str(_ITEMS_PER_POLL),
        "PYTHONPATH": str(ROOT),
    }
    argv = [sys.executable, "-m", "awslambdaric", handler]
    return Function(Command(argv, {**environ, **more}, tree.source))


def passed(function: Function, trace_header: str = UNSAMPLED) -> Passed:
    answer = function.invoke(stream_event(), trace_header=trace_header)
    ended = function.last_logged("stream ended")
    return Passed(answer.spent.cpu_ns, ended["events"], ended["bytes"] / ended["events"])
