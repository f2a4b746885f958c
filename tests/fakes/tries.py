"""Tests of things that have only so much wall time, on machines that may be busy with others."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")

TRIES = 5


def tried_again(test: Callable[P, None]) -> Callable[P, None]:
    """Passes where one of five tries does.

    A process ends itself 250 ms after SIGTERM, whatever it has done until then, and a busy machine
    may give it no processor in that time. What is broken fails five times.
    """

    @wraps(test)
    def tries(*args: P.args, **kwargs: P.kwargs) -> None:
        for _ in range(TRIES - 1):
            try:
                return test(*args, **kwargs)
            except AssertionError:
                continue
        return test(*args, **kwargs)

    return tries
