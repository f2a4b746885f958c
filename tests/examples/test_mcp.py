"""The MCP server, asked by the SDK's own client: in one process, at the Function URL, and at a REST
API that streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from examples.mcp.app import handler, server
from local_aws.background import BackgroundStack
from tests.counts import count
from tests.examples.ways import STAGE, served, wait_until_free, way_to
from tests.fakes.events import function_url_event
from tests.fakes.local import WAIT_SECONDS

CALLS = count(200)
DOORS = ("function_url", "rest_api")
MODES = ("legacy", "auto")
"""With the handshake of the protocol until 2025-11-25; without one, as since 2026-07-28."""


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with served("examples.mcp.app:handler") as running:
        yield running


@asynccontextmanager
async def client_at(stack: BackgroundStack, door: str, mode: str) -> AsyncIterator[Client]:
    base = stack.door_url("rest_api") + STAGE if door == "rest_api" else stack.url

    async def wait(_: httpx2.Request) -> None:
        await asyncio.to_thread(wait_until_free, stack)

    async with (
        httpx2.AsyncClient(
            timeout=WAIT_SECONDS, trust_env=False, event_hooks={"request": [wait]}
        ) as http_client,
        Client(streamable_http_client(f"{base}/mcp", http_client=http_client), mode=mode) as client,
    ):
        yield client


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["in_process", *DOORS])
def client(request: pytest.FixtureRequest, mode: str) -> AbstractAsyncContextManager[Client]:
    """Entered by the test: anyio wants a scope to be left in the task that entered it."""
    if request.param == "in_process":
        return Client(server, mode=mode)
    return client_at(request.getfixturevalue("stack"), request.param, mode)


def posted(method: str, **params: Any) -> dict[str, Any]:
    """The answer to one message, from the handler in plain Python."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    event = function_url_event("POST", "/mcp", "", headers) | {"body": json.dumps(message)}
    answer: dict[str, Any] = handler(event)
    return answer


async def test_its_tools_are_listed_and_called(
    client: AbstractAsyncContextManager[Client],
) -> None:
    async with client as connected:
        tools = {tool.name for tool in (await connected.list_tools()).tools}
        answer = await connected.call_tool("transcribe", {"minutes": 1})

    assert tools == {"whereabouts", "transcribe"}
    assert answer.structured_content == {"result": "[minute 1]"}


async def test_arguments_out_of_range_are_the_tools_error(
    client: AbstractAsyncContextManager[Client],
) -> None:
    async with client as connected:
        answer = await connected.call_tool("transcribe", {"minutes": 0})

    assert answer.is_error


@pytest.mark.parametrize("door", DOORS)
async def test_progress_arrives_while_the_tool_works(
    stack: BackgroundStack, door: str, mode: str
) -> None:
    told: list[tuple[float, float | None, bool]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert message == f"minute {progress:g} of 3"
        told.append((progress, total, stack.invocations[-1].finished_at == 0))

    async with client_at(stack, door, mode) as client:
        await client.call_tool("transcribe", {"minutes": 3}, progress_callback=note)

    assert told == [(1, 3, True), (2, 3, True), (3, 3, told[-1][-1])]


async def test_one_environment_answers_every_call_and_is_started_once(
    stack: BackgroundStack,
) -> None:
    """A session manager that is started for each invocation fails in the second one."""
    answers: list[dict[str, Any]] = []
    for door, mode in zip(DOORS, MODES, strict=True):
        async with client_at(stack, door, mode) as client:
            for _ in range(CALLS // 2):
                answer = await client.call_tool("whereabouts")
                assert answer.structured_content
                answers.append(answer.structured_content)

    assert len({answer["environment"] for answer in answers}) == 1
    first = answers[0]["calls"]
    assert [answer["calls"] for answer in answers] == [*range(first, first + CALLS)]


def test_no_request_needs_another_one_before_it() -> None:
    """Any environment can answer it: there is no session."""
    answer = posted("tools/call", name="transcribe", arguments={"minutes": 1})

    assert answer["statusCode"] == 200
    assert "mcp-session-id" not in answer["headers"]
    assert "[minute 1]" in answer["body"]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("door", DOORS)
def test_no_stream_stands_open_for_news(stack: BackgroundStack, door: str, method: str) -> None:
    with way_to(stack, door) as way:
        answer = way.client.request(method, "/mcp", headers={"accept": "text/event-stream"})

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_call_is_a_span_in_the_trace_of_its_request(stack: BackgroundStack) -> None:
    async with client_at(stack, "function_url", "auto") as client:
        await client.call_tool("transcribe", {"minutes": 1})
    wait_until_free(stack)
    # The client then asks for the list of tools, to check the result by.
    traces = [stack.traces.records(one.trace.root) for one in stack.invocations[-2:]]
    names = {record.id: record.name for records in traces for record in records}
    parents = {record.name: names.get(record.parent_id or "") for record in traces[0]}

    assert parents["tools/call transcribe"] == "asgi_request"
    assert parents["transcribe_minute"] == "asgi_request"
