"""A page that goes says so, and its stream ends: Lambda itself tells nobody that a client left.

The page names its stream when it opens it, and asks for its end when it goes:

    const id = crypto.randomUUID()
    const source = new EventSource(`/chat?stream_id=${id}`)
    addEventListener("pagehide", () =>
      fetch(`/.streams/${id}`, {method: "DELETE", keepalive: true}))

The two requests are served by different execution environments, so the wish is left in a DynamoDB
table, where the environment that streams looks every few seconds. The table's partition key is
`stream_id`, its TTL attribute `expires_at`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, Protocol, TypeAlias

from lambda_streaming.failure_answers import json_error
from lambda_streaming.requests import Request
from lambda_streaming.responses import Response, StreamingResponse, changed
from lambda_streaming.runtime.error_report import log_failure
from lambda_streaming.sse import to_json

logger = logging.getLogger(__name__)

PARAMETER = "stream_id"
ROUTE = "/.streams/"
LOOK_SECONDS = 5.0

_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
_PREFLIGHT = Response(
    status=204,
    headers={
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "DELETE, POST",
        "access-control-allow-headers": "*",
        "access-control-max-age": "86400",
    },
)
"""A page of another origin may ask, as anybody may who knows an id."""

_KEPT_SECONDS = 3600
"""Longer than any invocation runs."""


Until: TypeAlias = Callable[[], Awaitable[None]]


class Wishes(Protocol):
    """Where wishes are left. Its methods block, and raise what the store raises."""

    def leave(self, stream_id: str) -> None: ...

    def is_left(self, stream_id: str) -> bool: ...


class Closing:
    """The close route, and what ends a stream that has to be closed."""

    def __init__(self, wishes: Wishes, look_seconds: float = LOOK_SECONDS) -> None:
        self._wishes = wishes
        self._look_seconds = look_seconds

    async def answer(self, request: Request) -> Response | None:
        """The answer to a request to close a stream; None for any other request."""
        path = request.path.removeprefix(request.root_path)
        if not path.startswith(ROUTE):
            return None
        if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            answer = _PREFLIGHT
        elif request.method in ("DELETE", "POST"):
            answer = await self._answer(request, path.removeprefix(ROUTE))
        else:
            return None
        return changed(answer, route=f"{ROUTE}{{id}}")

    async def _answer(self, request: Request, stream_id: str) -> Response:
        if not _ID.fullmatch(stream_id):
            message = f"{ROUTE}ID needs the id of a stream, 16 to 64 letters, digits, - or _"
            return json_error(400, "invalid_stream_id", message, request)
        try:
            await asyncio.to_thread(self._wishes.leave, stream_id)
        except Exception as error:
            logger.warning("a request to close a stream was not kept: %s", type(error).__name__)
            return json_error(503, "unavailable", "try again", request)
        ends = {"stream_id": stream_id, "ends_within_seconds": self._look_seconds + 1}
        return Response(to_json(ends), headers={"content-type": "application/json"})

    def watched(self, answer: StreamingResponse, request: Request) -> StreamingResponse:
        """The answer, which ends when its client asks for it; as it is where that named none."""
        stream_id = request.query.get(PARAMETER, "")
        if not _ID.fullmatch(stream_id):
            return answer
        own = answer.until
        return changed(answer, until=lambda: self._until_either(stream_id, own))

    async def _until_either(self, stream_id: str, own: Until | None) -> None:
        """Returns when the client's wish is there, or when the app's own `until` returns."""
        looks = self._until_left(stream_id)
        tasks = {asyncio.get_running_loop().create_task(looks, context=_untraced())}
        if own is not None:
            tasks.add(asyncio.ensure_future(_unless_it_fails(own)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _until_left(self, stream_id: str) -> None:
        while True:
            await asyncio.sleep(self._look_seconds)
            try:
                if await asyncio.to_thread(self._wishes.is_left, stream_id):
                    return
            except Exception as error:  # the stream goes on; it is bounded otherwise, too
                logger.warning("whether to close a stream is unknown: %s", type(error).__name__)


def _untraced() -> Context:
    """The looks are no part of the app's trace, whose budget they would spend, nor X-Ray's."""
    from lambda_streaming.tracing.step import Trace  # not at a cold start

    context = Context()
    context.run(Trace(None).enter_streaming_phase)
    return context


async def _unless_it_fails(until: Until) -> None:
    """The app's own `until`; one that fails ends nothing."""
    try:
        await until()
    except Exception as error:
        log_failure(logger, "what watches for the end of a stream failed", error)
        await asyncio.get_running_loop().create_future()


class DynamoWishes:
    """`make_client` makes a boto3 client of DynamoDB; called once, with the first wish."""

    def __init__(
        self,
        table: str,
        make_client: Callable[[], Any] | None = None,
        wall_seconds: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._make_client = make_client or _client
        self._wall_seconds = wall_seconds
        self._made: Any = None

    def leave(self, stream_id: str) -> None:
        expires_at = int(self._wall_seconds()) + _KEPT_SECONDS
        self._client().put_item(
            TableName=self._table,
            Item={"stream_id": {"S": stream_id}, "expires_at": {"N": str(expires_at)}},
        )

    def is_left(self, stream_id: str) -> bool:
        found = self._client().get_item(
            TableName=self._table,
            Key={"stream_id": {"S": stream_id}},
            ProjectionExpression="stream_id",
            # Else a look may miss a wish that is there, and the stream ends one look later than
            # the page was told.
            ConsistentRead=True,
        )
        return "Item" in found

    def _client(self) -> Any:
        if self._made is None:
            self._made = self._make_client()
        return self._made


def _client() -> Any:
    import boto3  # of the managed runtime, and only where a table is named
    from botocore.config import Config

    limits = Config(connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 2})
    return boto3.client("dynamodb", config=limits)
