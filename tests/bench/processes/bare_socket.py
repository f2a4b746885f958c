"""The least that can pass blocks to the Runtime API: a socket, and `send` in a loop.

Every invocation's event says how many blocks. What comes before each block the argument says:
- `ready`: nothing;
- `busy`: `busy_us` of CPU time, as if the block had to be made, so that the reader rests between
  blocks; how much it was in all is logged;
- `asyncio`: `pause_seconds` in an event loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import sys
import time
from typing import Any

HOST, _PORT_TEXT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
PORT = int(_PORT_TEXT)
_NEXT = f"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
ANSWER = (
    "POST /2018-06-01/runtime/invocation/r/response HTTP/1.1\r\n"
    f"Host: {HOST}\r\nTransfer-Encoding: chunked\r\n"
    "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
    "Content-Type: application/vnd.awslambda.http-integration-response\r\n\r\n"
).encode()
PRELUDE = b'{"statusCode":200,"headers":{"content-type":"text/event-stream"}}'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def next_event(sock: socket.socket) -> dict[str, Any] | None:
    """None when the Runtime API has gone."""
    sock.sendall(_NEXT)
    received = b""
    while b"\r\n\r\n" not in received:
        data = sock.recv(65536)
        if not data:
            return None
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += sock.recv(65536)
    event: dict[str, Any] = json.loads(body)
    return event


def begin(sock: socket.socket) -> None:
    sock.sendall(ANSWER + chunk(PRELUDE) + chunk(bytes(8)))
    sock.sendall(chunk(b": open\n\n"))


def end(sock: socket.socket) -> None:
    sock.sendall(b"0\r\n\r\n")
    reply = sock.recv(65536)
    assert reply.startswith(b"HTTP/1.1 202 "), reply


def send(sock: socket.socket, block: bytes) -> None:
    rest = b"%x\r\n%b\r\n" % (len(block), block)
    while rest:
        try:
            rest = rest[sock.send(rest) :]
        except BlockingIOError:
            select.select([], [sock], [])


def ready(sock: socket.socket) -> None:
    while (event := next_event(sock)) is not None:
        block = bytes(event["block"], "ascii")
        begin(sock)
        sock.setblocking(False)
        for _ in range(event["blocks"]):
            send(sock, block)
        sock.setblocking(True)
        end(sock)


def busy(sock: socket.socket) -> None:
    cpu_ns = time.thread_time_ns
    while (event := next_event(sock)) is not None:
        block = bytes(event["block"], "ascii")
        busy_ns, spent_ns = event["busy_us"] * 1000, 0
        begin(sock)
        sock.setblocking(False)
        for _ in range(event["blocks"]):
            now = start = cpu_ns()
            while now - start < busy_ns:
                now = cpu_ns()
            spent_ns += now - start
            send(sock, block)
        sock.setblocking(True)
        end(sock)
        sys.stdout.write(json.dumps({"message": "busy", "ns": spent_ns}) + "\n")
        sys.stdout.flush()


async def in_an_event_loop(sock: socket.socket) -> None:
    while (event := next_event(sock)) is not None:
        block = bytes(event["block"], "ascii")
        begin(sock)
        sock.setblocking(False)
        for _ in range(event["blocks"]):
            await asyncio.sleep(event["pause_seconds"])
            send(sock, block)
        sock.setblocking(True)
        end(sock)


def main() -> None:
    with socket.create_connection((HOST, PORT)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        match sys.argv[1]:
            case "ready":
                ready(sock)
            case "busy":
                busy(sock)
            case "asyncio":
                asyncio.run(in_an_event_loop(sock))


if __name__ == "__main__":
    main()
