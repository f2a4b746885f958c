"""What the function's processes wrote to stdout and stderr: the last lines of each."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable

_LINES_PER_ENVIRONMENT = 2000
_ENVIRONMENTS = 100


class FunctionLog:
    def __init__(self, echo: Callable[[str], None] | None = None) -> None:
        """`echo` gets every line as it comes, with its environment's number before it."""
        self._echo = echo
        self._rings: OrderedDict[int, deque[str]] = OrderedDict()
        self._counts: Counter[int] = Counter()

    def add(self, environment: int, line: str) -> None:
        ring = self._rings.get(environment)
        if ring is None:
            ring = self._rings[environment] = deque(maxlen=_LINES_PER_ENVIRONMENT)
            if len(self._rings) > _ENVIRONMENTS:
                self._rings.popitem(last=False)
        ring.append(line)
        self._counts[environment] += 1
        if self._echo is not None:
            self._echo(f"[{environment}] {line}")

    def count(self, environment: int) -> int:
        """How many lines the environment has written."""
        return self._counts[environment]

    def lines_since(self, environment: int, count: int) -> list[str]:
        """What it has written since it had written that many lines."""
        ring = list(self._rings.get(environment, ()))
        written = self._counts[environment] - count
        return ring[max(0, len(ring) - written) :]

    def lines(self, environment: int | None = None) -> list[str]:
        """The lines of one environment, or of all, environment by environment."""
        if environment is not None:
            return list(self._rings.get(environment, ()))
        return [line for ring in list(self._rings.values()) for line in list(ring)]
