"""What the function's process says before its first invocation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.fakes.managed_runtime import SOURCES, managed_function
from tests.fakes.streams import REQUIRED

HANDLER = "lambdas.sse_streaming.entrypoint.handler"


def log_of_init(environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the real process logs until it asks for an event and is ended."""
    with managed_function(SOURCES, HANDLER, {**REQUIRED, **environ}) as function:
        function.api.wait_until(lambda: bool(function.api.polls()), 20)
        said = function.end()
    return [json.loads(line) for line in said.splitlines()]


def test_a_good_environment_logs_nothing() -> None:
    assert log_of_init({"SSE_POLL_SECONDS": "1"}) == []


def test_a_misspelt_variable_is_warned_of_once_with_the_nearest_name_and_never_its_value() -> None:
    log = log_of_init({"SSE_POLL_SECOND": "5", "SSE_IDKEYS": "s3cr3t", "SSE_COLOUR": "s3cr3t"})

    assert [(line["level"], line["message"]) for line in log] == [
        ("WARNING", "SSE_COLOUR is set and has no effect: no setting has a name like it"),
        ("WARNING", "SSE_IDKEYS is set and has no effect: did you mean SSE_ID_KEY?"),
        ("WARNING", "SSE_POLL_SECOND is set and has no effect: did you mean SSE_POLL_SECONDS?"),
    ]
    assert "s3cr3t" not in json.dumps(log)
