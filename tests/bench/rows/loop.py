"""The runtime loop passing blocks that are ready, and one block a millisecond, against bare loops.

From one `/next` to the following one, so that the process rests at both ends; both sides meet the
same stand-in for the Runtime API and send the same blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from tests.bench.figures import Figure, Kind, Target
from tests.bench.functions import Function, adapted, program
from tests.bench.run import PEER, Run, figure
from tests.bench.standins.runtime_api import Answer
from tests.bench.trees import NOW

ROW = "loop"
BLOCK = "event: sentiment\nid: " + "i" * 60 + "\ndata: " + "d" * 160 + "\n\n"

_READY_BLOCKS = 50_000
_PACED_BLOCKS = 500
_PAUSE_SECONDS = 0.001
_LARGE_BLOCKS, _LARGE_BLOCK_BYTES = 2_000, 1 << 16
"""More than the reader can take."""


def measure(run: Run, *, ready_blocks: int = _READY_BLOCKS) -> list[Figure]:
    return [*ready(run, ready_blocks), paced(run)]


def ready(run: Run, blocks: int = _READY_BLOCKS) -> list[Figure]:
    run.progress.begin("Passing blocks that are ready")
    with ExitStack() as opened:
        functions = _ours(run, opened)
        functions[PEER] = opened.enter_context(program("bare_socket.py", "ready"))
        taken = run.in_turn(run.rounds(15, 45), _streams(functions, blocks, 0))
        full = stream(functions[PEER], _LARGE_BLOCKS, 0, "x" * _LARGE_BLOCK_BYTES)
    busiest = max(answer.utilisation for answer in taken[NOW])
    per_second = full.received_bytes / len(BLOCK) / full.own_cpu_ns * 1e9
    return [
        figure(
            ROW,
            "CPU per ready block",
            "µs",
            taken,
            lambda answer: answer.spent.cpu_ns / blocks / 1000,
            target=Target(Kind.RATIO, 2.0, is_enforced=True),
            peer=PEER,
            peer_name="bare socket loop",
            note=(
                f"the stand-in for the Runtime API was busy {busiest:.0%} of the time at most;"
                f" when it never waits it takes {per_second / 1e6:.1f} million blocks a second"
            ),
        ),
        figure(
            ROW,
            "of it user time",
            "µs",
            taken,
            lambda answer: answer.spent.user_ns / blocks / 1000,
            target=Target(Kind.DIFFERENCE, 1.0, is_enforced=True),
            peer=PEER,
            peer_name="bare socket loop",
        ),
    ]


def paced(run: Run, blocks: int = _PACED_BLOCKS) -> Figure:
    run.progress.begin("Passing one block a millisecond")
    with ExitStack() as opened:
        functions = _ours(run, opened)
        functions[PEER] = opened.enter_context(program("bare_socket.py", "asyncio"))
        taken = run.in_turn(run.rounds(9, 25), _streams(functions, blocks, _PAUSE_SECONDS))
    return figure(
        ROW,
        "CPU per block, one a millisecond",
        "µs",
        taken,
        lambda answer: answer.spent.cpu_ns / blocks / 1000,
        target=Target(Kind.RATIO, 1.25),
        peer=PEER,
        peer_name="bare asyncio loop",
    )


def stream(function: Function, blocks: int, pause_seconds: float, block: str = BLOCK) -> Answer:
    return function.invoke({"blocks": blocks, "pause_seconds": pause_seconds, "block": block})


def _ours(run: Run, opened: ExitStack) -> dict[str, Function]:
    functions = {
        tree.name: opened.enter_context(adapted(tree, run.aws, "blocks")) for tree in run.trees
    }
    for function in functions.values():
        stream(function, 100, 0)  # what the first invocation loads is not the loop's cost
    return functions


def _streams(
    functions: dict[str, Function], blocks: int, pause_seconds: float
) -> dict[str, Callable[[], Answer]]:
    return {
        name: partial(stream, function, blocks, pause_seconds)
        for name, function in functions.items()
    }
