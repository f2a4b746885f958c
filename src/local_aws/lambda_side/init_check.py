"""The function's init without an invocation: what is wrong with its settings, before anybody asks.

It is the function's own init in an execution environment of its own, so this holds for whatever
LOCAL_PYTHON, LOCAL_TASK_ROOT and LOCAL_HANDLER name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from local_aws.lambda_side.environment import Environment, InitFailedError, TimeoutReachedError
from local_aws.lambda_side.log import FunctionLog

_LINES_SHOWN = 20


class FunctionInitError(Exception):
    """The function does not start. The text holds its own words."""


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
        # It may be in time when its files have been read once, so this refuses nothing.
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
