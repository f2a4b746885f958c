"""Real DynamoDB engines for tests of what is stored there.

Three of them, since each differs from AWS in its own way, and code that suits all three depends on
none of the differences:

- dynoxide charges by AWS's rule; the others charge an empty Query nothing (DynamoDB Local) or
  everything the same (moto), so what a poll costs is measured on dynoxide alone.
- moto's conditional writes are not atomic, so races are run on the other two. It also takes text
  in a number index key; the function's reader drops such an item instead of failing on it.
- Pages end at other places (a page of 1 MB holds 9 to 11 items of 100 KB), and may hold no item
  and a key to go on from: only LastEvaluatedKey says whether there is more.
- DynamoDB Local keeps tables of each access key apart unless it is told -sharedDb.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lambda_streaming.tracing.aws_requests import record_aws_requests
from lambda_streaming.tracing.step import AwsRequest, Step, Trace
from lambdas.sse_streaming.aws.clients import AwsClients, Lazy
from local_aws.data.engines import Engine, dynoxide, find_dynoxide, moto
from local_aws.feed.tables import TableNames
from local_aws.processes import ProcessGuard, Spawner
from local_aws.servers.loop_thread import LoopThread
from local_aws.settings import REPOSITORY_ROOT, Settings


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """`is_exact` is False for a stand-in whose conditional writes are not atomic."""

    url: str
    is_exact: bool


DYNAMODB_LOCAL = REPOSITORY_ROOT / ".venv/dynamodb-local"
_POM = REPOSITORY_ROOT / "tests/integration/dynamodb_local/pom.xml"
_START_SECONDS = 40.0


class EngineMissing(Exception):
    """The engine is not on this computer and cannot be installed."""


@contextmanager
def running_engine(name: str | None = None) -> Iterator[RunningEngine]:
    """One engine, alone: dynoxide, moto or dynamodb-local; by default the local stack's choice.

    Raises EngineMissing.
    """
    binary = find_dynoxide(Settings.from_environ(os.environ))
    name = name or ("dynoxide" if binary is not None else "moto")
    guard = ProcessGuard()
    if name == "moto":
        engine = moto(guard)
    elif name == "dynamodb-local":
        engine = _dynamodb_local(guard)
    elif binary is not None:
        engine = dynoxide(binary, guard)
    else:
        raise EngineMissing("no dynoxide binary was found: `make setup` installs it where npm is")
    with LoopThread("dynamodb-engine") as loop:
        loop.call(guard.start())
        try:
            loop.call(engine.start(), timeout_seconds=_START_SECONDS)
            yield RunningEngine(engine.url, is_exact=name != "moto")
        finally:
            loop.call(engine.stop())
            loop.call(guard.stop())


def _dynamodb_local(spawner: Spawner) -> Engine:
    """AWS's own engine, from Maven Central. Needs Java 17."""
    java = shutil.which("java")
    if java is None:
        raise EngineMissing("DynamoDB Local needs Java 17 or later (Debian: openjdk-17-jre)")
    _download_dynamodb_local()
    return Engine(
        "DynamoDB Local",
        lambda port: [
            java,
            f"-Dsqlite4java.library.path={DYNAMODB_LOCAL}",
            *("-cp", f"{DYNAMODB_LOCAL}/*"),
            "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
            *("-inMemory", "-sharedDb", "-port", str(port)),
        ],
        spawner,
    )


def _download_dynamodb_local() -> None:
    """Once: about 50 MB."""
    if any(DYNAMODB_LOCAL.glob("DynamoDBLocal-*.jar")):
        return
    maven = shutil.which("mvn")
    if maven is None:
        raise EngineMissing("DynamoDB Local is downloaded by Maven, which is not installed")
    downloading = subprocess.run(
        [
            *(maven, "--quiet", "--batch-mode", "--file", str(_POM)),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={DYNAMODB_LOCAL}",
        ],
        capture_output=True,
        text=True,
    )
    if downloading.returncode:
        raise EngineMissing(f"Maven could not download it: {downloading.stdout[-500:]}")


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
    return Lazy(lambda: clients.make("dynamodb"))


@contextmanager
def counted_requests() -> Iterator[list[AwsRequest]]:
    """The AWS requests made inside, in this thread, as the tracing sees them."""
    record_aws_requests(None, lambda: 0)
    with Trace(None).step("counted") as step:
        yield step.requests


def uncounted() -> Step:
    """Around requests of the test itself that happen inside `counted_requests`."""
    return Trace(None).step("uncounted")
