"""Every error has the same body: `{"error": {"code", "message", "request_id"}}`.

It is the form in which the library answers what never reaches the app.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


class NotThere(Exception):
    """What the path names does not exist."""

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no {what}")


def answer_errors_alike(app: FastAPI) -> None:
    @app.exception_handler(NotThere)
    async def not_there(request: Request, error: NotThere) -> JSONResponse:
        return answer(request, 404, str(error))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return answer(request, error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        """Where and why, but not what was sent: that may be a secret."""
        found = (
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        )
        return answer(request, 422, "; ".join(found))

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        """Starlette raises it again after the answer, so it is in the log and in the trace."""
        return answer(request, 500, "the request could not be answered")


# By RFC 9110, section 15.5; Python names them so from 3.13 on.
_RENAMED = {413: "Content Too Large", 414: "URI Too Long", 422: "Unprocessable Content"}


def answer(
    request: Request, status: int, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    phrase = _RENAMED.get(status) or HTTPStatus(status).phrase
    code = phrase.lower().replace(" ", "_")
    request_id = getattr(request.state, "request_id", None)
    body = {"error": {"code": code, "message": message, "request_id": request_id}}
    return JSONResponse(body, status, headers)
