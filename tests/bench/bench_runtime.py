"""CPU per event of the runtime loop passing ready bytes, against a bare socket loop.

Run from the root of the repository: `PYTHONPATH=src:. python tests/bench/bench_runtime.py`. Both
write the same chunks to the same sink, which is another process; interleaved, best of each.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import select
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from lambda_streaming.responses import Result, StreamingResponse, StreamOutcome
from lambda_streaming.runtime.endpoint import parse_endpoint
from lambda_streaming.runtime.hooks import Hooks
from lambda_streaming.runtime.invocation import FunctionEnvironment, LambdaContext
from lambda_streaming.runtime.loop import RuntimeLoop
from lambda_streaming.runtime.termination import Termination

BLOCK = b"event: sentiment\nid: " + b"i" * 60 + b"\ndata: " + b"d" * 160 + b"\n\n"
RATIO_LIMIT = 2.0
USER_MICROSECONDS_LIMIT = 1.0
LAST_CHUNK = b"0\r\n\r\n"
# What /next is answered with.
EVENT = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r\r\nContent-Length: 2\r\n\r\n{}"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Cost:
    """Microseconds per event."""

    user: float
    system: float

    @property
    def total(self) -> float:
        return self.user + self.system


def usage() -> resource.struct_rusage:
    return resource.getrusage(resource.RUSAGE_SELF)


def cost_since(start: resource.struct_rusage, events: int) -> Cost:
    now = usage()
    return Cost(
        (now.ru_utime - start.ru_utime) / events * 1e6,
        (now.ru_stime - start.ru_stime) / events * 1e6,
    )


def bare(port: int, events: int) -> Cost:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = usage()
        for _ in range(events):
            rest = b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK)
            while rest:
                try:
                    rest = rest[sock.send(rest) :]
                except BlockingIOError:
                    select.select([], [sock], [])
        cost = cost_since(start, events)
        sock.setblocking(True)
        sock.sendall(LAST_CHUNK)
        assert sock.recv(1000) == ACCEPTED
    return cost


async def runtime(port: int, events: int) -> Cost:
    costs: list[Cost] = []
    ended = asyncio.Event()

    async def body() -> AsyncGenerator[bytes, None]:
        yield b": first\n\n"
        start = usage()
        for _ in range(events):
            yield BLOCK
        costs.append(cost_since(start, events))

    async def finish(outcome: StreamOutcome, error: BaseException | None) -> None:
        assert outcome is StreamOutcome.COMPLETED, error
        ended.set()

    def handler(event: bytes, context: LambdaContext) -> Result:
        return StreamingResponse(200, {}, body(), finish, stall_seconds=5)

    endpoint = f"127.0.0.1:{port}"
    loop = RuntimeLoop(
        handler,
        endpoint=parse_endpoint(endpoint),
        environment=FunctionEnvironment(endpoint),
        environ={},
        normalise_trace_header=lambda header: header,
        hooks=Hooks(),
        termination=Termination(asyncio.get_running_loop()),
    )
    serving = asyncio.create_task(loop.serve())
    await ended.wait()
    serving.cancel()
    await asyncio.wait((serving,))
    loop.close()
    return costs[0]


def sink() -> None:
    """Reads as fast as it can; answers one `/next` and the end of each body."""
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        connection, _ = listener.accept()
        with connection:
            tail = b""
            while data := connection.recv(1 << 20):
                tail = (tail + data)[-5:]
                if data.startswith(b"GET "):
                    connection.sendall(EVENT)
                elif tail == LAST_CHUNK:
                    connection.sendall(ACCEPTED)
                    break


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sink", action="store_true")
    arguments = parser.parse_args()
    if arguments.sink:
        sink()
        return 0
    with subprocess.Popen(
        [sys.executable, __file__, "--sink"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        bare_costs: list[Cost] = []
        runtime_costs: list[Cost] = []
        for _ in range(arguments.rounds):
            bare_costs.append(bare(port, arguments.events))
            runtime_costs.append(asyncio.run(runtime(port, arguments.events)))
        process.terminate()
    best_bare = min(bare_costs, key=lambda cost: cost.total)
    best_runtime = min(runtime_costs, key=lambda cost: cost.total)
    ratio = best_runtime.total / best_bare.total
    more_user = min(c.user for c in runtime_costs) - min(c.user for c in bare_costs)
    sys.stdout.write(
        f"bare {best_bare.total:.2f} us (user {best_bare.user:.2f}), "
        f"runtime {best_runtime.total:.2f} us (user {best_runtime.user:.2f}) per event\n"
        f"ratio {ratio:.2f} (limit {RATIO_LIMIT}), "
        f"user time more {more_user:.2f} us (limit {USER_MICROSECONDS_LIMIT})\n"
    )
    return 0 if ratio <= RATIO_LIMIT and more_user <= USER_MICROSECONDS_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
