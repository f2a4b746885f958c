"""Random interleavings of everything that can happen to a feed: nothing is lost.

A failure names its seeds; with INTERLEAVING_SEED=2534 in the environment this file runs one,
on each schema.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import pytest

from tests.counts import count
from tests.unit.sse_streaming.feeds.interleavings import KINDS, problems_of

RUNS_PER_SCHEMA = count(5_000)
RUNS_PER_TEST = 50
ONE_SEED = os.environ.get("INTERLEAVING_SEED")
CHUNKS = (
    [range(int(ONE_SEED), int(ONE_SEED) + 1)]
    if ONE_SEED
    else [range(first, first + RUNS_PER_TEST) for first in range(0, RUNS_PER_SCHEMA, RUNS_PER_TEST)]
)
RUNS = [(kind, seeds) for seeds in CHUNKS for kind in KINDS]

Running = dict[tuple[str, range], "Future[dict[int, list[str]]]"]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """The runs, on all processors where no other test needs them, in the order in which tests wait
    for them."""
    with ProcessPoolExecutor(
        mp_context=multiprocessing.get_context("spawn"), initializer=os.nice, initargs=(10,)
    ) as pool:
        yield {(kind, seeds): pool.submit(problems_of, seeds, kind) for kind, seeds in RUNS}
        pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "seeds"),
    RUNS,
    ids=[f"{kind}-{seeds.start}-{seeds.stop - 1}" for kind, seeds in RUNS],
)
def test_every_item_written_is_delivered_and_never_again_after_a_clean_end(
    kind: str, seeds: range, running: Running
) -> None:
    assert running[kind, seeds].result() == {}
