"""A real DynamoDB engine for tests of what is stored there: dynoxide, else moto."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lambdas.sse_streaming.aws import AwsClients, Lazy
from lambdas.sse_streaming.tracing.operation import AwsRequest, Operation
from lambdas.sse_streaming.tracing.seam import streaming_requests
from local_aws.engines import dynoxide, find_dynoxide, moto
from local_aws.loop_thread import LoopThread
from local_aws.processes import ProcessGuard
from local_aws.settings import Settings
from local_aws.tables import TableNames


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """`is_exact` is False for a stand-in whose conditional writes are not atomic."""

    url: str
    is_exact: bool


@contextmanager
def running_engine() -> Iterator[RunningEngine]:
    """The engine that the local stack would take, alone."""
    guard = ProcessGuard()
    binary = find_dynoxide(Settings.from_environ(os.environ))
    engine = dynoxide(binary, guard) if binary is not None else moto(guard)
    with LoopThread("dynamodb-engine") as loop:
        loop.call(guard.start())
        try:
            loop.call(engine.start())
            yield RunningEngine(engine.url, is_exact=binary is not None)
        finally:
            loop.call(engine.stop())
            loop.call(guard.stop())


@dataclass(frozen=True, slots=True)
class Database:
    """One test's own tables, and a client as the function makes it."""

    names: TableNames
    function_client: Callable[[], Any]
    admin: Any
    engine: RunningEngine


def function_client() -> Lazy[Any]:
    """Its endpoint and credentials come from the environment, as in Lambda."""
    clients = AwsClients(os.environ, timeout_seconds=10)
    return Lazy(lambda: clients.make("dynamodb", "dynamodb", lambda: 0))


@contextmanager
def counted_requests() -> Iterator[list[AwsRequest]]:
    """The AWS requests made inside, in this thread, as the tracing sees them."""
    operation = Operation("counted", 0)
    with streaming_requests(operation):
        yield operation.requests
