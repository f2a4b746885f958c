"""Whether tracing is there, and whether it records."""

from __future__ import annotations

from typing import Any

import fastapi
import starlette
from fastapi import APIRouter, Request
from fastapi.telemetry import get_telemetry_data

from lambda_streaming import trace_report

router = APIRouter()

ASKED_FOR = ("botocore", "fastapi", "httpx")


@router.get("/trace-test")
def trace_test(request: Request) -> dict[str, Any]:
    # Not async: the report waits for the collector, which may take a second.
    report = trace_report()
    states = dict.fromkeys(ASKED_FOR, "absent") | report.get("instrumentations", {})
    states["fastapi.telemetry"] = "inactive" if get_telemetry_data() is None else "active"
    versions = {"fastapi": fastapi.__version__, "starlette": starlette.__version__}
    return {
        **report,
        "traceparent": request.headers.get("traceparent"),
        "instrumentations": states,
        "versions": report["versions"] | versions,
    }
