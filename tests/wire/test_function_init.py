"""What the process of a function says before its first invocation, and what it has read by then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.asgi import get
from tests.fakes.managed_runtime import SOURCES, managed_function
from tests.fakes.streams import REQUIRED

HANDLER = "lambdas.sse_streaming.entrypoint.handler"
WITHOUT_BODY = """
from lambda_streaming import Response, streaming

handler = streaming(lambda request: Response(status=204), tracing="{tracing}")
"""


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


@pytest.mark.parametrize("tracing", ["join", "off"])
def test_an_app_may_leave_an_empty_body_empty(tracing: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(WITHOUT_BODY.format(tracing=tracing), encoding="utf-8")
    environ = {"STREAMING_EMPTY_BODY": "none", "AWS_LAMBDA_FUNCTION_NAME": "app"}
    with managed_function(tmp_path, "main.handler", environ) as function:
        function.api.add(get())
        function.api.wait_until(lambda: len(function.api.polls()) == 2, 20)
        (answer,) = function.api.answers()
    assert answer.prelude["statusCode"] == 204
    assert answer.payload == b""


def test_a_bad_setting_of_an_app_fails_the_init_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(WITHOUT_BODY.format(tracing="off"), encoding="utf-8")
    with managed_function(tmp_path, "main.handler", {"STREAMING_EMPTY_BODY": "no"}) as function:
        function.api.wait_until(lambda: bool(function.api.init_errors()), 20)
        (error,) = function.api.init_errors()
    assert "STREAMING_EMPTY_BODY='no' is not valid: one of byte, none" in error["errorMessage"]
