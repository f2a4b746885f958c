"""Run as a program: many invocations at once in one process, traced by Powertools and the SDK.

Argument: how many. Each invocation has a header of its own and runs an async handler with methods
captured by Powertools, def and async def, awaited, in threads and side by side. Prints the X-Ray
documents as a JSON list.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import threading
from contextlib import suppress
from typing import Any

FAILED = 0xF000_0000
"""The number of an invocation whose handlers fail."""


def _receive(daemon: socket.socket, found: list[dict[str, Any]]) -> None:
    while True:
        datagram = daemon.recv(65_535)
        if not datagram:
            return
        found.append(json.loads(datagram.partition(b"\n")[2]))


def main(slots: int) -> list[dict[str, Any]]:
    daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    daemon.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
    daemon.bind(("127.0.0.1", 0))
    documents: list[dict[str, Any]] = []
    receiving = threading.Thread(target=_receive, args=(daemon, documents))
    receiving.start()
    os.environ |= {
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
    }
    os.environ.pop("_X_AMZN_TRACE_ID", None)

    from aws_lambda_powertools import Tracer
    from aws_xray_sdk.core import xray_recorder

    from lambda_streaming.tracing.handler_phase import HandlerPhase
    from lambda_streaming.tracing.invocations import Invocations
    from lambda_streaming.tracing.xray_context import XRayContext

    invocations = Invocations()
    tracer = Tracer(service="orders", auto_patch=False)
    xray_recorder.configure(context=XRayContext(invocations))
    phase = HandlerPhase(xray_recorder, "orders", invocations, {})
    all_inside = asyncio.Barrier(slots)

    @tracer.capture_method
    def blocking(number: int) -> int:
        tracer.put_annotation("number", str(number))
        return number

    @tracer.capture_method
    async def awaited(number: int) -> int:
        tracer.put_annotation("number", str(number))
        await all_inside.wait()
        await asyncio.sleep(0)
        return await asyncio.to_thread(blocking, number)

    @tracer.capture_lambda_handler(capture_response=False)
    def synchronous(event: int, context: object) -> None:
        blocking(event)

    async def asynchronous(event: int) -> None:
        with phase.recorded():
            await asyncio.gather(awaited(event), asyncio.to_thread(blocking, event))
            blocking(event)

    async def failing() -> None:
        with phase.recorded():
            await asyncio.sleep(0)
            raise LookupError("no such order")

    def failing_too() -> None:
        with phase.recorded():
            raise LookupError("no such order")

    async def failed_invocation() -> None:
        header = f"Root=1-{FAILED:08x}-{'a' * 24};Parent={'f' * 16};Sampled=1"
        invocations.begin("failed", header)
        with suppress(LookupError):
            await failing()
        with suppress(LookupError):
            failing_too()
        invocations.end()

    async def invocation(number: int) -> None:
        header = f"Root=1-{number:08x}-{'a' * 24};Parent={number + 1:016x};Sampled=1"
        invocations.begin(f"request-{number}", header)
        await asynchronous(number)
        await asyncio.to_thread(synchronous, number, None)
        invocations.end()

    async def all_at_once() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(slots):
                group.create_task(invocation(number))
            group.create_task(failed_invocation())

    asyncio.run(all_at_once())
    daemon_address = daemon.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"", daemon_address)
    receiving.join(10)
    return documents


if __name__ == "__main__":
    json.dump(main(int(sys.argv[1])), sys.stdout)
