"""A FastAPI app, and the one line that serves it on Lambda."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from lambda_streaming import asgi

from . import aws, fibonacci, items, start, tracing
from .errors import answer_errors_alike
from .request_ids import RequestIds

# Where the page lives that calls this API. With CORS here, leave that of a Function URL unset: a
# browser refuses an answer with each header twice.
ALLOWED_ORIGINS = ("http://localhost:5173",)


class State(TypedDict):
    items: items.Items


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[State]:
    """Once for each execution environment, in its init phase."""
    yield {"items": items.Items()}


def create_app() -> FastAPI:
    app = FastAPI(title="Tour", version="1.0.0", lifespan=lifespan)
    app.add_middleware(RequestIds)
    app.add_middleware(CORSMiddleware, allow_origins=ALLOWED_ORIGINS, allow_methods=("GET", "POST"))
    answer_errors_alike(app)
    for routes in (start, fibonacci, items, aws, tracing):
        app.include_router(routes.router)
    return app


app = create_app()
handler = asgi(app)
