"""The trace id in a log line is one, whatever the trace header was."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from lambdas.sse_streaming.tracing.correlation import LogCorrelation
from tests.fakes.spans import ROOT, SAMPLED


@pytest.mark.parametrize(
    ("variable", "expected"),
    [(SAMPLED, ROOT), ("Future=hunter2;Lineage=1:a:0", None), (None, None)],
)
def test_only_a_root_is_a_trace_id(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, expected: str | None
) -> None:
    """Without a root the variable begins with what anybody may have sent."""
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    if variable is not None:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", variable)
    written = io.StringIO()
    logger = Logger(service=f"correlation {variable}", stream=written)
    correlation = LogCorrelation(logger)

    correlation.begin("request")
    logger.warning("something")

    line: dict[str, Any] = json.loads(written.getvalue())
    assert line.get("xray_trace_id") == expected
    assert line["function_request_id"] == "request"
