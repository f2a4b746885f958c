"""Execution environments: processes that are frozen, continued, reused, killed and replaced."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from local_aws.console.open_streams import OpenStreams
from local_aws.lambda_side.environment import Phase
from local_aws.lambda_side.invocation import Outcome
from tests.wire.local_lambda import (
    PRELUDE,
    SCRIPTED,
    answer,
    local_lambda,
    process_state,
    script,
    until,
)

linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads process states from /proc"
)
SLOW = [*answer(PRELUDE, "x")[:-1], {"sleep": 0.4}, {"end": {}}]


@linux_only
async def test_a_process_is_frozen_between_invocations_and_runs_during_one() -> None:
    async with local_lambda() as running:
        await running.run(*answer(PRELUDE, "x"))
        pid = (await running.finished()).environment_pid
        assert process_state(pid) == "T"
        async with running.http.stream("GET", script(*SLOW)) as response:
            await anext(response.aiter_raw())
            assert process_state(pid) in ("S", "R")


async def test_each_concurrent_connection_has_a_process_and_the_last_used_is_reused() -> None:
    async with local_lambda() as running:
        await asyncio.gather(*(running.run(*SLOW) for _ in range(3)))
        await until(lambda: all(e.phase is Phase.FROZEN for e in running.environments))
        assert len({e.pid for e in running.environments}) == 3
        await running.run(*answer(PRELUDE, "x"))
        last_used = (await running.finished()).environment_pid
        for _ in range(3):
            await running.run(*answer(PRELUDE, "x"))
            assert (await running.finished()).environment_pid == last_used


async def test_more_than_the_concurrency_is_refused_with_429() -> None:
    async with local_lambda(concurrency=2) as running:
        responses = await asyncio.gather(*(running.run(*SLOW) for _ in range(4)))
        assert sorted(r.status_code for r in responses) == [200, 200, 429, 429]
        refusal = next(r for r in responses if r.status_code == 429)
        assert refusal.json()["Reason"] == "ConcurrentInvocationLimitExceeded"
        assert refusal.headers["x-amzn-errortype"] == "TooManyRequestsException"
        assert running.service.invoker.throttled == 2
        # What was not invoked has no trace that a link could lead to.
        logged = running.service.requests.latest(4)
        assert sorted((one.status, one.trace is not None) for one in logged) == [
            *[(200, True)] * 2,
            *[(429, False)] * 2,
        ]


@linux_only
async def test_a_function_beyond_its_timeout_is_killed() -> None:
    async with local_lambda(timeout_seconds=0.7) as running:
        with pytest.raises(httpx.TransportError):
            await running.run(*answer(PRELUDE, "x")[:-1], {"sleep": 30})
        invocation = await running.finished()
        assert invocation.outcome is Outcome.TIMED_OUT
        assert process_state(invocation.environment_pid) == ""
        assert any("Task timed out after 0.70 seconds" in line for line in running.said)
        assert (await running.run(*answer(PRELUDE, "next"))).text == "next"
        answered = await running.finished()
        await until(lambda: running.answered == [answered.trace])


async def test_a_timeout_before_the_head_is_a_502() -> None:
    async with local_lambda(timeout_seconds=0.5) as running:
        assert (await running.run({"sleep": 30})).status_code == 502


async def test_work_after_the_response_counts_against_the_timeout() -> None:
    async with local_lambda(timeout_seconds=0.7) as running:
        response = await running.run(*answer(PRELUDE, "whole"), {"sleep": 30})
        assert response.text == "whole"
        invocation = await running.finished()
        assert invocation.outcome is Outcome.TIMED_OUT
        assert invocation.answered_at


async def test_an_init_that_fails_is_a_502_and_keeps_the_report() -> None:
    function = replace(SCRIPTED, handler="no_such_module.handler")
    async with local_lambda(function=function) as running:
        assert (await running.http.get("/")).status_code == 502
        invocation = await running.finished()
        assert invocation.outcome is Outcome.INIT_FAILED
        assert b"no_such_module" in invocation.error_body
        assert running.environments == ()


async def test_a_python_that_cannot_be_started_is_a_502() -> None:
    function = replace(SCRIPTED, python=Path("/no/such/python"))
    async with local_lambda(function=function) as running:
        assert (await running.http.get("/")).status_code == 502
        assert any("could not be started" in line for line in running.said)


async def test_an_open_answer_tells_its_silence_and_can_be_killed() -> None:
    async with local_lambda() as running:
        streams = OpenStreams(running.service.invoker, running.service.fleet)
        speaking = script(*answer(PRELUDE, "x")[:-1], {"sleep": 30})
        async with running.http.stream("GET", speaking) as response:
            received = response.aiter_raw()
            await anext(received)
            (stream,) = streams.as_json()
            assert stream["trace_id"] == running.last.trace.root
            await until(lambda: streams.as_json()[0]["idle_seconds"] > 0.2)

            assert not streams.kill("1-00000000-000000000000000000000000")
            assert streams.kill(stream["trace_id"])
            with pytest.raises(httpx.TransportError):
                await anext(received)
        assert (await running.finished()).outcome is Outcome.EXITED
        assert streams.as_json() == []


async def test_every_byte_ends_the_silence_of_an_answer() -> None:
    async with local_lambda() as running:
        streams = OpenStreams(running.service.invoker, running.service.fleet)
        speaking = script(
            *answer(PRELUDE, "x")[:-1], {"sleep": 0.4}, {"chunk": ":\n"}, {"sleep": 30}
        )
        async with running.http.stream("GET", speaking) as response:
            received = response.aiter_raw()
            await anext(received)
            first = running.last.last_byte_at
            assert await anext(received) == b":\n"
            await until(lambda: running.last.last_byte_at > first)
            assert streams.kill(running.last.trace.root)
        await running.finished()


async def test_an_environment_that_died_frozen_is_replaced() -> None:
    async with local_lambda() as running:
        await running.run(*answer(PRELUDE, "x"))
        first = (await running.finished()).environment_pid
        os.killpg(first, signal.SIGKILL)
        await until(lambda: not running.environments[0].is_alive)
        assert (await running.run(*answer(PRELUDE, "y"))).text == "y"
        assert running.last.environment_pid != first


async def test_back_pressure_reaches_the_function() -> None:
    """A client that does not read holds the function up after a bounded number of bytes."""
    async with local_lambda() as running:
        total = 32 << 20
        steps = [*answer(PRELUDE, "x")[:-1], {"pour": total}, {"end": {}}]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", running.service.url.port, limit=1024
        )
        writer.write(f"GET {script(*steps)} HTTP/1.1\r\nHost: local\r\n\r\n".encode())
        await until(lambda: any("poured" in line for line in running.service.log.lines()))
        await asyncio.sleep(0.5)
        held_at = running.last.response_bytes
        assert held_at < total // 2
        await asyncio.sleep(0.2)
        assert running.last.response_bytes == held_at
        while b"0\r\n\r\n" not in await reader.read(1 << 20):
            pass
        writer.close()
        assert (await running.finished()).response_bytes > total


async def test_a_client_that_never_reads_is_cut_off_at_the_timeout() -> None:
    async with local_lambda(timeout_seconds=1.0) as running:
        steps = [*answer(PRELUDE, "x")[:-1], {"pour": 64 << 20}, {"end": {}}]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", running.service.url.port, limit=1024
        )
        writer.write(f"GET {script(*steps)} HTTP/1.1\r\nHost: local\r\n\r\n".encode())
        await until(lambda: bool(running.service.invoker.invocations))
        assert (await running.finished()).outcome is Outcome.TIMED_OUT
        await until(lambda: running.service.url.connections == 0)
        writer.close()
        with contextlib.suppress(ConnectionError):
            assert b"0\r\n\r\n" not in await reader.read()


async def test_the_disconnect_can_be_shown_to_the_function() -> None:
    async with local_lambda(show_disconnect=True) as running:
        steps = [*answer(PRELUDE, "x")[:-1], {"sleep": 0.2}, {"pour": 64 << 20}, {"end": {}}]
        async with running.http.stream("GET", script(*steps)) as response:
            await anext(response.aiter_raw())
        assert (await running.finished()).outcome in (Outcome.TRUNCATED, Outcome.EXITED)
        assert any("Error" in line for line in running.service.log.lines())


async def test_limits_slow_a_large_response_down_after_its_burst() -> None:
    async with local_lambda(limits=True) as running:
        started = asyncio.get_running_loop().time()
        steps = [*answer(PRELUDE, "x")[:-1], {"pour": 7 << 20}, {"end": {}}]
        response = await running.run(*steps)
        assert len(response.content) == (7 << 20) + 1
        assert asyncio.get_running_loop().time() - started >= 0.45


async def test_the_process_gets_lambdas_variables_and_none_of_the_callers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
    monkeypatch.setenv("AWS_PROFILE", "real")
    monkeypatch.setenv("UNRELATED", "1")
    function = replace(SCRIPTED, passed_on={"SSE_ID_KEY": "replaced", "OTEL_X": "1"})
    async with local_lambda(function=function) as running:
        environ = (await running.http.get("/")).json()["environ"]
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == "sse-streaming"
    assert environ["_HANDLER"] == "scripted.handler"
    assert environ["LAMBDA_TASK_ROOT"] == str(SCRIPTED.task_root)
    assert environ["AWS_ENDPOINT_URL_DYNAMODB"] == "http://127.0.0.1:1"
    assert environ["AWS_EC2_METADATA_DISABLED"] == "true"
    assert environ["AWS_ACCESS_KEY_ID"] != "REAL"
    assert environ["CONFIGURED"] == "yes"
    assert (environ["SSE_ID_KEY"], environ["OTEL_X"]) == ("replaced", "1")
    assert not {"AWS_PROFILE", "UNRELATED", "HOME", "PYTHONPATH"} & environ.keys()


@linux_only
async def test_shutting_down_continues_and_ends_every_process() -> None:
    async with local_lambda() as running:
        await asyncio.gather(*(running.run(*SLOW) for _ in range(2)))
        await until(lambda: all(e.phase is Phase.FROZEN for e in running.environments))
        pids = [environment.pid for environment in running.environments]
    assert [process_state(pid) for pid in pids] == ["", ""]
