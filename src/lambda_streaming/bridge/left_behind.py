"""Tasks that an app leaves behind, and where a task waits."""

from __future__ import annotations

import asyncio
import logging
from types import CodeType
from typing import Any

logger = logging.getLogger(__name__)

_SHOWN_COROUTINES = 8


class LeftBehind:
    """Logs the tasks that were made during a request and are not done after it, once for each place
    in the code. They freeze with the environment, and go on whenever a later invocation runs.

    While several requests run at once nobody knows whose a task is, and nothing is logged.
    """

    def __init__(self) -> None:
        self._running = 0
        self._before: set[asyncio.Task[Any]] | None = None
        self._logged: set[CodeType] = set()

    def begin(self) -> None:
        self._before = asyncio.all_tasks() if self._running == 0 else None
        self._running += 1

    def end(self) -> None:
        self._running -= 1
        before, self._before = self._before, None
        if before is None:
            return
        left = map(_code, asyncio.all_tasks() - before)
        new = {code for code in left if code is not None} - self._logged
        if new:
            self._logged |= new
            logger.warning(
                "a request left tasks behind: %s. They freeze with the environment: "
                "await them, or use background tasks",
                ", ".join(sorted(map(_place, new))),
            )


def _code(task: asyncio.Task[Any]) -> CodeType | None:
    return getattr(task.get_coro(), "cr_code", None)


def _place(code: CodeType) -> str:
    return f"{code.co_qualname} ({code.co_filename}:{code.co_firstlineno})"


def where_it_waits(task: asyncio.Task[Any]) -> str:
    """The coroutines that the task waits in, the innermost last."""
    awaited: Any = task.get_coro()
    places: list[str] = []
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            code = frame.f_code
            places.append(f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno})")
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return " > ".join(places[-_SHOWN_COROUTINES:]) or "it does not wait"
