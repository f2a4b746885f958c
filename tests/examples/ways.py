"""The ways by which a test asks an example: the local Function URL, the REST API that streams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx
from starlette.testclient import TestClient

from local_aws.background import BackgroundStack
from local_aws.lambda_side.environment import Phase
from local_aws.lambda_side.init_check import FunctionInitError
from local_aws.settings import REPOSITORY_ROOT, Settings
from tests.fakes.local import WAIT_SECONDS, wait_until

STAGE = "/prod"
ON_LAMBDA = ("function_url", "rest_api")


@contextmanager
def served(handler: str, **environ: str) -> Iterator[BackgroundStack]:
    """An example in one execution environment of the local stack."""
    settings = Settings.from_environ(
        {
            "PORT": "0",
            "APP": handler,
            "LOCAL_TASK_ROOT": str(REPOSITORY_ROOT),
            "LOCAL_RELOAD": "0",
            "LOCAL_CONCURRENCY": "1",
            **environ,
        }
    )
    with BackgroundStack(settings) as stack:
        yield stack


@dataclass(frozen=True, slots=True)
class Way:
    """`root_path` is the stage, where there is one; the client's addresses begin below it."""

    client: httpx.Client
    root_path: str = ""


@contextmanager
def in_process(app: Any) -> Iterator[Way]:
    """The framework's own client: one of httpx2 where that is installed (mcp brings it), whose
    methods are httpx's."""
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Way(cast("httpx.Client", client))


@contextmanager
def way_to(stack: BackgroundStack, door: str) -> Iterator[Way]:
    root_path = STAGE if door == "rest_api" else ""
    base = stack.door_url("rest_api") if door == "rest_api" else stack.url
    with httpx.Client(
        base_url=base + root_path,
        timeout=WAIT_SECONDS,
        trust_env=False,
        event_hooks={"request": [lambda _: wait_until_free(stack)]},
    ) as client:
        yield Way(client, root_path)


def wait_until_free(stack: BackgroundStack) -> None:
    """The only environment would refuse another request while it still flushes after an answer."""
    wait_until(
        lambda: all(one.phase is Phase.FROZEN for one in stack.environments),
        "the environment is free",
    )


def why_it_does_not_start(handler: str, **environ: str) -> str:
    """What the function reports to Lambda when its init fails; empty where it starts."""
    with served(handler, **environ) as stack:
        try:
            stack.call(stack.stack.lambda_service.check_init())
        except FunctionInitError as error:
            return str(error)
    return ""
