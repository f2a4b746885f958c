"""The local stack's listener: no socket outlives it."""

from __future__ import annotations

import asyncio
import socket

from local_aws.servers.connection_server import ConnectionServer
from local_aws.servers.http_connection import bound_socket


async def _wait_for_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _is_closed(client: socket.socket) -> bool:
    try:
        return await asyncio.get_running_loop().sock_recv(client, 1) == b""
    except ConnectionResetError:
        return True


async def test_a_client_that_comes_while_it_stops_is_disconnected() -> None:
    """At whatever moment: accepted or not, attached to the server or not, its task begun or not."""
    for turns in range(6):
        server = ConnectionServer(_wait_for_end)
        await server.start(bound_socket(0))
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.setblocking(False)
            for _ in range(turns):
                await asyncio.sleep(0)
            await server.stop()
            async with asyncio.timeout(5):
                assert await _is_closed(client), turns
