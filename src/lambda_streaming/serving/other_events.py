"""Events that are no HTTP requests: of queues, buckets, schedules, whatever invokes functions."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from lambda_streaming.runtime.invoker import in_thread, is_async

EventHandler: TypeAlias = Callable[[dict[str, Any], Any], Any]
"""Called with the event and the context, sync or async; what it returns becomes JSON."""

OtherEvents: TypeAlias = EventHandler | Mapping[str, EventHandler]
"""One handler for all of them, or by source: `aws:sqs`, `aws.events`, …; `unknown` for what no
service of AWS sends; `*` for the rest."""

UNKNOWN = "unknown"


class UnhandledEventError(Exception):
    """Nothing in this app takes the event. The invocation fails, so that a queue keeps its
    messages and a retry is made."""


def handler_of(handlers: OtherEvents | None, source: str) -> EventHandler | None:
    return handlers.get(source, handlers.get("*")) if isinstance(handlers, Mapping) else handlers


async def handle_event(
    handlers: OtherEvents | None, source: str, event: dict[str, Any], context: object
) -> Any:
    """What the handler of this source returns. Raises UnhandledEventError where there is none."""
    handler = handler_of(handlers, source)
    if handler is None:
        raise UnhandledEventError(
            f"an event of {source} came, and this handler serves HTTP requests alone: pass"
            f' events={{"{source}": function}} to it, or remove the trigger'
        )
    if is_async(handler):
        return await handler(event, context)
    result = await in_thread(None, lambda: handler(event, context))
    return await result if isinstance(result, Awaitable) else result


def check_handlers(handlers: object) -> None:
    """Raises TypeError for what can handle no event."""
    each = handlers.values() if isinstance(handlers, Mapping) else [handlers]
    for handler in each:
        if handler is not None and not callable(handler):
            raise TypeError(
                "events= is a function of (event, context), or a mapping of sources to such"
                f" functions, not {type(handler).__name__}"
            )
        if inspect.isclass(handler):
            raise TypeError("events= is given a class: give it an instance, or a function")
