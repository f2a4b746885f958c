"""The service, and its handler, which plain Python calls as `run(event)`."""

from __future__ import annotations

import logging

from fastapi import FastAPI

from lambda_streaming import asgi

from . import dependencies, digest, info, intel, processing
from .debugging import DebugMode
from .errors import answer_failures, refuse_invalid
from .request_metrics import RequestMetrics
from .settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Raises what is to fail the init."""
    load_dependencies(settings)
    app = FastAPI(title="Service", version="1.0.0")
    app.state.settings = settings
    app.state.processor = processing.processor_named(settings.processor)
    if settings.debug:
        logging.getLogger(__package__).setLevel(logging.DEBUG)
        app.add_middleware(DebugMode)
    app.add_middleware(RequestMetrics, namespace=settings.metrics_namespace)
    answer_failures(app, debug=settings.debug)
    for routes in (info, digest, processing, intel):
        app.include_router(routes.router)
    return app


def load_dependencies(settings: Settings) -> None:
    if settings.archive is not None:
        import boto3  # only functions with an archive pay for it at their cold start

        dependencies.load(settings.archive, boto3.client("s3"))


app = create_app(Settings())
handler = asgi(app, events={"unknown": refuse_invalid})
run = handler
