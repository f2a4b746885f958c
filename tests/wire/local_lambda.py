"""Starts the Lambda part of the local stack around the scripted function."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from local_aws.lambda_side.environ import Wiring
from local_aws.lambda_side.environment import Environment
from local_aws.lambda_side.invocation import Invocation
from local_aws.lambda_side.lambda_service import LambdaService
from local_aws.processes import ProcessGuard
from local_aws.servers.http_connection import bound_socket
from local_aws.settings import DOOR_PORTS, DoorName, FunctionSettings, Settings
from local_aws.traces.trace_header import Trace

FUNCTIONS = Path(__file__).parents[1] / "fakes" / "functions"
SCRIPTED = FunctionSettings(
    task_root=FUNCTIONS, handler="scripted.handler", environment={"CONFIGURED": "yes"}
)
WIRING = Wiring(
    dynamodb_url="http://127.0.0.1:1",
    cloudwatch_url="http://127.0.0.1:2",
    otlp_url="http://127.0.0.1:3",
    xray_daemon_address="127.0.0.1:4",
)
STREAMED = {
    "Content-Type": "application/vnd.awslambda.http-integration-response",
    "Lambda-Runtime-Function-Response-Mode": "streaming",
}
PRELUDE = '{"statusCode":200,"headers":{"content-type":"text/event-stream"}}' + "\0" * 8

Step = dict[str, Any]


@dataclass
class LocalLambda:
    service: LambdaService
    http: httpx.AsyncClient
    said: list[str] = field(default_factory=list)
    segments: list[dict[str, Any]] = field(default_factory=list)
    answered: list[Trace] = field(default_factory=list)

    @property
    def last(self) -> Invocation:
        return self.service.invoker.invocations[-1]

    @property
    def environments(self) -> tuple[Environment, ...]:
        return self.service.fleet.environments

    def door_url(self, door: DoorName) -> str:
        return f"http://127.0.0.1:{self.service.doors[door].port}"

    async def run(self, *steps: Step, **headers: str) -> httpx.Response:
        return await self.http.get(script(*steps), headers=headers)

    async def finished(self) -> Invocation:
        """The last invocation, once its function rests or has ended."""
        await until(lambda: self.last.finished_at > 0)
        return self.last

    async def log_has(self, text: str) -> None:
        await until(lambda: any(text in line for line in self.service.log.lines()))


def script(*steps: Step) -> str:
    return f"/?script={quote(json.dumps(steps))}"


def answer(*chunks: str) -> list[Step]:
    """The steps of a whole streamed answer."""
    return [{"head": STREAMED}, *({"chunk": chunk} for chunk in chunks), {"end": {}}]


def returned(payload: str) -> Step:
    """The step of a whole buffered answer."""
    return {"post": "/invocation/{id}/response", "headers": {}, "body": payload}


async def until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Waits for something that another process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        await asyncio.sleep(0.005)


def process_state(pid: int) -> str:
    """The kernel's letter for the process: T is stopped, S asleep; empty when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return ""
    return stat.rpartition(")")[2].split()[0]


@asynccontextmanager
async def local_lambda(**settings: Any) -> AsyncIterator[LocalLambda]:
    given = replace(Settings(port=0, timeout_seconds=20.0, function=SCRIPTED), **settings)
    guard = ProcessGuard()
    await guard.start()
    said: list[str] = []
    segments: list[dict[str, Any]] = []
    answered: list[Trace] = []
    service = LambdaService(
        given,
        WIRING,
        spawner=guard,
        say=said.append,
        add_segment=segments.append,
        on_answered=lambda trace, _: answered.append(trace),
    )
    await service.start({door: bound_socket(given.door_port(door)) for door in DOOR_PORTS})
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{service.url.port}", timeout=20.0, trust_env=False
        ) as http:
            yield LocalLambda(service, http, said, segments, answered)
    finally:
        await service.stop()
        await guard.stop()
