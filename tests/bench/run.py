"""What every row is given, and how rounds of several subjects are taken in turn."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.bench.compare import MIN_ROUNDS
from tests.bench.figures import Figure, Samples, Target
from tests.bench.functions import Aws
from tests.bench.trees import BASE, NOW, Tree

T = TypeVar("T")

PEER = "peer"
_QUIET_SECONDS = 5.0


class Progress:
    """Lines on standard error, so that nobody waits in doubt: at most one in five seconds."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told_at = monotonic()

    def begin(self, what: str) -> None:
        sys.stderr.write(f"{what} …\n")
        self._told_at = self._monotonic()

    def step(self, what: str) -> None:
        now = self._monotonic()
        if now - self._told_at >= _QUIET_SECONDS:
            self._told_at = now
            sys.stderr.write(f"  {what}\n")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the bench. `trees` is the present one, and the base where one was given."""

    trees: Sequence[Tree]
    aws: Aws
    progress: Progress
    is_full: bool = False

    @property
    def compares(self) -> bool:
        return len(self.trees) > 1

    def rounds(self, quick: int, full: int) -> int:
        """A comparison takes enough of them to tell a difference from the spread."""
        wanted = full if self.is_full else quick
        return max(wanted, MIN_ROUNDS) if self.compares else wanted

    def in_turn(self, rounds: int, subjects: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
        """Each subject once a round, every other round backwards, so that neither a drift of the
        machine's speed nor what came right before favours one."""
        taken: dict[str, list[T]] = {name: [] for name in subjects}
        for number in range(rounds):
            order = list(subjects) if number % 2 == 0 else list(subjects)[::-1]
            for name in order:
                taken[name].append(subjects[name]())
            self.progress.step(f"round {number + 1} of {rounds}")
        return taken


def figure(
    row: str,
    name: str,
    unit: str,
    taken: Mapping[str, Sequence[T]],
    value: Callable[[T], float],
    *,
    target: Target | None = None,
    peer: str | None = None,
    peer_name: str = "",
    note: str = "",
) -> Figure:
    """A figure from what `in_turn` gave: subjects "now", "base" and, by its key, the peer."""

    def samples(subject: str | None) -> Samples | None:
        if subject is None or subject not in taken:
            return None
        return Samples(tuple(map(value, taken[subject])))

    ours = samples(NOW)
    assert ours is not None
    return Figure(
        row=row,
        name=name,
        unit=unit,
        ours=ours,
        target=target,
        peer=samples(peer),
        peer_name=peer_name,
        base=samples(BASE),
        note=note,
    )
