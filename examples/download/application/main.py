"""`application.main:app`"""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from .api import routes
from .api.dependencies import S3Datasets, Settings


def create_app(settings: Settings) -> FastAPI:
    is_development = settings.environment == "development"
    app = FastAPI(
        title="Download",
        docs_url="/docs" if is_development else None,
        redoc_url=None,
        openapi_url="/openapi.json" if is_development else None,
    )
    app.state.datasets = S3Datasets(settings.dataset_bucket)
    # Then not at the Function URL, too: browsers refuse an answer with each header twice.
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"])
    app.include_router(routes.router)
    return app


app = create_app(Settings())  # type: ignore[call-arg]  # pydantic-settings reads the environment
