"""`feed(schema)`: the service on a table of one's own."""

from __future__ import annotations

import sys
from collections.abc import Callable, MutableMapping
from typing import NoReturn

from lambda_streaming.serving.process import Service, serve_as
from lambda_streaming.serving.take_over import LambdaHandler
from lambdas.sse_streaming.feeds.schema import FeedSchema


class FeedHandler(LambdaHandler):
    """The handler of a feed. `schema` is its declaration."""

    def __init__(self, serve: Callable[[], NoReturn], schema: FeedSchema) -> None:
        super().__init__(serve)
        self.schema = schema


def feed(schema: FeedSchema) -> FeedHandler:
    """The whole service on the schema's table, as the handler of the module that calls this:

        handler = feed(FeedSchema("job", "tenant", QueryParameter("tenant"), "time", "job_id"))

    It is composed when Lambda's runtime looks the handler up; what is wrong with the deployment
    fails the init. Outside Lambda nothing happens.
    """
    if not isinstance(schema, FeedSchema):
        raise TypeError(f"feed({schema!r}): give a FeedSchema")

    def composed(environ: MutableMapping[str, str]) -> Service:
        # Here, because a declaration is read where nothing of this is installed.
        from lambdas.sse_streaming.serving.composition import compose

        return compose(schema, environ)

    caller = sys._getframe(1).f_globals["__name__"]
    return serve_as(lambda start: FeedHandler(start, schema), composed, caller=caller)
