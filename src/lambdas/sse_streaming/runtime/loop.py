"""The runtime loop: ask for an invocation, answer it, clean up after it, again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import NoReturn, TypeAlias

from .invocation import FunctionEnvironment, Invocation, LambdaContext
from .response import Result

Handler: TypeAlias = Callable[[bytes, LambdaContext], Result]
"""Called on the main thread, which is also the event loop's."""
Hook: TypeAlias = Callable[[], Awaitable[None]]


def run(
    handler: Handler,
    *,
    environment: FunctionEnvironment,
    environ: MutableMapping[str, str],
    normalise_trace_header: Callable[[str | None], str | None],
    before_invocation: Sequence[Callable[[Invocation], None]] = (),
    after_response: Sequence[Hook] = (),
    on_shutdown: Sequence[Hook] = (),
    after_restore: Sequence[Hook] = (),
) -> NoReturn:
    """Serve invocations until the process ends. Raises before the first `/next`, never after."""
    raise NotImplementedError
