"""The Runtime API without a function behind it, driven call by call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from local_aws.lambda_side.bandwidth import Bandwidth
from local_aws.lambda_side.invocation import Invocation, Outcome
from local_aws.lambda_side.runtime_api import RuntimeApi
from local_aws.traces.trace_header import start_trace

ROOT = "/2018-06-01/runtime"
STREAMED = {"Lambda-Runtime-Function-Response-Mode": "streaming"}


@asynccontextmanager
async def started(api: RuntimeApi) -> AsyncIterator[httpx.AsyncClient]:
    await api.start()
    try:
        async with httpx.AsyncClient(
            base_url=f"http://{api.address}{ROOT}", trust_env=False
        ) as http:
            yield http
    finally:
        await api.stop()


async def invoke(api: RuntimeApi, http: httpx.AsyncClient) -> Invocation:
    """Hands one event to a client that asks for it."""
    invocation = Invocation(
        request_id="id",
        event=b"{}",
        trace=start_trace(None, sampled_by_default=True, clock=time.time),
        function_arn="arn",
        received_at=time.time(),
        deadline_ms=1,
        invocation_id="invocation",
    )
    asking = asyncio.create_task(http.get("/invocation/next"))
    await api.idle.wait()
    api.deliver(invocation)
    answer = await asking
    assert answer.headers["lambda-runtime-aws-request-id"] == "id"
    assert answer.headers["lambda-runtime-invocation-id"] == "invocation"
    assert answer.headers["lambda-runtime-deadline-ms"] == "1"
    assert answer.content == b"{}"
    return invocation


async def test_a_response_beyond_the_total_is_cut_with_413() -> None:
    api = RuntimeApi(make_bandwidth=lambda: Bandwidth(time.monotonic, max_bytes=100))
    async with started(api) as http:
        invocation = await invoke(api, http)

        async def body() -> AsyncIterator[bytes]:
            yield b"x" * 100
            yield b"x"

        answer = await http.post("/invocation/id/response", content=body(), headers=STREAMED)
        assert answer.status_code == 413
        assert invocation.outcome is Outcome.TOO_LARGE
        assert invocation.error_type == "Function.ResponseSizeTooLarge"
        assert invocation.response_bytes == 100


async def test_a_body_that_ends_early_is_refused_as_truncated() -> None:
    api = RuntimeApi()
    async with started(api) as http:
        invocation = await invoke(api, http)
        host, _, port = api.address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"POST {ROOT}/invocation/id/response HTTP/1.1\r\nHost: {host}\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
            "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n".encode()
        )
        writer.write_eof()
        answer = await reader.read()
        assert b" 400 " in answer.split(b"\r\n")[0]
        assert b"TruncatedHTTPRequest" in answer
        assert invocation.outcome is Outcome.TRUNCATED
        writer.close()
        assert api.idle.is_set() is False


async def test_an_error_report_waits_for_an_open_response_and_is_then_refused() -> None:
    api = RuntimeApi()
    async with started(api) as http:
        await invoke(api, http)
        go_on = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            await go_on.wait()
            yield b"last"

        responding = asyncio.create_task(
            http.post("/invocation/id/response", content=body(), headers=STREAMED)
        )
        await asyncio.sleep(0.05)
        reporting = asyncio.create_task(http.post("/invocation/id/error", content=b"{}"))
        await asyncio.sleep(0.1)
        assert not reporting.done()
        go_on.set()
        assert (await responding).status_code == 202
        assert (await reporting).status_code == 403


async def test_next_during_an_open_response_is_refused() -> None:
    api = RuntimeApi()
    async with started(api) as http:
        await invoke(api, http)
        go_on = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield b"first"
            await go_on.wait()

        responding = asyncio.create_task(
            http.post("/invocation/id/response", content=body(), headers=STREAMED)
        )
        await asyncio.sleep(0.05)
        assert (await http.get("/invocation/next")).status_code == 403
        go_on.set()
        assert (await responding).status_code == 202


async def test_a_runtime_may_wait_for_its_restoration_once() -> None:
    api = RuntimeApi()
    async with started(api) as http:
        assert (await http.get("/restore/next")).status_code == 200
        assert (await http.get("/restore/next")).status_code == 403
        assert (await http.post("/restore/error", content=b"{}")).status_code == 202
        assert api.init_error == ("Runtime.Unknown", b"{}")
