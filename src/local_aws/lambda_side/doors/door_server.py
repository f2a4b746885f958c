"""A front door's listener: HTTP requests in, one after the other on each connection."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

import h11

from local_aws.lambda_side.doors.http_request import HttpRequest
from local_aws.lambda_side.doors.request_log import Exchange, RequestLog
from local_aws.servers.connection_server import ConnectionServer
from local_aws.servers.http_connection import HttpConnection, PeerProtocolError


class FrontDoor(Protocol):
    """What a door does with a request."""

    @property
    def max_request_bytes(self) -> int: ...

    async def answer(self, http: HttpConnection, request: HttpRequest) -> None: ...

    async def refuse(self, http: HttpConnection, status: int) -> None:
        """Answers 400 to what is no HTTP, 413 to a body that is too long."""


class DoorServer:
    def __init__(self, door: FrontDoor, *, name: str, log: RequestLog) -> None:
        self._door = door
        self._name = name
        self._log = log
        self._server = ConnectionServer(self._serve)

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return self._server.connections

    async def start(self, sock: socket.socket) -> None:
        await self._server.start(sock)

    async def stop_listening(self) -> None:
        await self._server.stop_listening()

    async def stop(self) -> None:
        await self._server.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = HttpConnection(reader, writer)
        try:
            while (head := await http.next_request()) is not None:
                exchange = self._log.begin(
                    self._name,
                    head.method.decode(),
                    head.target.decode(),
                    client_port=http.peer_port,
                )
                http.observer = exchange
                try:
                    if not await self._serve_one(http, head, exchange):
                        break
                finally:
                    exchange.ended(is_whole=http.answer_is_complete)
                    http.observer = None
        except PeerProtocolError:
            await self._door.refuse(http, 400)
        await http.close()

    async def _serve_one(self, http: HttpConnection, head: h11.Request, exchange: Exchange) -> bool:
        """Answers a request; False where the connection cannot take another."""
        try:
            body = await http.read_body(max_bytes=self._door.max_request_bytes)
        except PeerProtocolError:
            await self._door.refuse(http, 400)
            return False
        if body is None:
            await self._door.refuse(http, 413)
            return False
        request = HttpRequest(
            method=head.method.decode(),
            target=head.target.decode(),
            headers=[(k.decode(), v.decode("latin-1")) for k, v in head.headers],
            body=body,
            source_ip=http.peer_address,
            protocol=f"HTTP/{head.http_version.decode()}",
            exchange=exchange,
        )
        await self._door.answer(http, request)
        return True
