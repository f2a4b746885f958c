"""What the function's processes wrote to stdout and stderr: the last lines of each."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

_LINES_PER_ENVIRONMENT = 2000
_ENVIRONMENTS = 100


class FunctionLog:
    def __init__(self, echo: Callable[[str], None] | None = None) -> None:
        """`echo` gets every line as it comes, with its environment's number before it."""
        self._echo = echo
        self._rings: OrderedDict[int, deque[str]] = OrderedDict()

    def add(self, environment: int, line: str) -> None:
        ring = self._rings.get(environment)
        if ring is None:
            ring = self._rings[environment] = deque(maxlen=_LINES_PER_ENVIRONMENT)
            if len(self._rings) > _ENVIRONMENTS:
                self._rings.popitem(last=False)
        ring.append(line)
        if self._echo is not None:
            self._echo(f"[{environment}] {line}")

    def lines(self, environment: int | None = None) -> list[str]:
        """The lines of one environment, or of all, environment by environment."""
        if environment is not None:
            return list(self._rings.get(environment, ()))
        return [line for ring in list(self._rings.values()) for line in list(ring)]
