"""Runs the function's init without an invocation, so that wrong settings show at start.

It is the real init in an execution environment of its own: it holds for every LOCAL_PYTHON,
LOCAL_TASK_ROOT and LOCAL_HANDLER.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from local_aws.lambda_side.environment import Environment, InitFailedError, TimeoutReachedError
from local_aws.lambda_side.log import FunctionLog

_LINES_SHOWN = 20


class FunctionInitError(Exception):
    """The function does not start. The text holds what it reported."""


async def check_init(
    environment: Environment, log: FunctionLog, *, say: Callable[[str], None]
) -> None:
    """Runs the environment's init and ends it; `say` gets what the function wrote in it, such as
    warnings about its settings. Raises FunctionInitError.
    """
    try:
        await environment.try_init()
    except InitFailedError as error:
        raise FunctionInitError(
            f"The function does not start: {_report(error.body) or _last_words(log)}"
        ) from error
    except TimeoutReachedError:
        # The next start may be in time, with its files cached: no reason not to start.
        say("The function's init takes longer than LOCAL_TIMEOUT_SECONDS: requests will fail.")
    for line in _readable(log.lines()[:_LINES_SHOWN]):
        say(f"The function: {line}")


def _report(body: bytes) -> str:
    """What was sent to /init/error, as the managed runtime writes it; empty if nothing was."""
    report = _object(body)
    if "errorMessage" not in report:
        return body.decode(errors="replace")
    return f"{report.get('errorType', 'Error')}: {report['errorMessage']}"


def _last_words(log: FunctionLog) -> str:
    lines = log.lines()[-_LINES_SHOWN:]
    wrote = "\n".join([":", *lines]) if lines else " and wrote nothing."
    return f"its process ended before it asked for an event{wrote}"


def _readable(lines: Iterable[str]) -> Iterator[str]:
    """Level and message of the lines that are Powertools' JSON; the others as they are."""
    for line in lines:
        entry = _object(line)
        yield (
            f"{entry['level']}: {entry['message']}" if {"level", "message"} <= set(entry) else line
        )


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
