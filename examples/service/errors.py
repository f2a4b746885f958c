"""The bodies of failures, which clients of the service know."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from .debugging import HEADERS

logger = logging.getLogger(__name__)


def answer_failures(app: FastAPI, *, debug: bool) -> None:
    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        """Starlette raises it again after the answer: its traceback is in the log and the trace."""
        # This answer is made outside of all middlewares.
        return JSONResponse({"error": "Internal server error"}, 500, HEADERS if debug else None)


def refuse_invalid(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """For whoever invokes the function with what no front door and no service of AWS sends."""
    logger.debug("invalid event, with these names: %s", [str(name)[:40] for name in event][:20])
    return {
        "statusCode": 400,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"error": "Invalid Lambda event format"}),
        "isBase64Encoded": False,
    }
