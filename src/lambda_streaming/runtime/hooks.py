"""What the function wants done around its invocations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .failure import log_failure
from .invocation import Invocation

logger = logging.getLogger(__name__)

Hook: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hooks:
    """`before_invocation` runs before the handler, `after_response` after each answer and before
    the environment may freeze, `on_shutdown` after SIGTERM and the end of the turn that it found,
    `after_restore` in an environment restored from a snapshot. Those of `on_shutdown` run in
    parallel, and are cancelled when their time is up."""

    before_invocation: Sequence[Callable[[Invocation], None]] = ()
    after_response: Sequence[Hook] = ()
    on_shutdown: Sequence[Hook] = ()
    after_restore: Sequence[Hook] = ()


async def run_guarded(what: str, hook: Hook) -> None:
    """Runs a hook; whatever it raises is logged and goes no further."""
    try:
        await hook()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if is_cancelled(error):
            raise
        log_failure(logger, f"{what} failed", error)


def is_cancelled(error: BaseException) -> bool:
    """Whether the running task was cancelled, and not only code in it raised CancelledError."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
