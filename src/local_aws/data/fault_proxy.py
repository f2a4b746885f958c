"""A proxy in front of an AWS JSON service (DynamoDB, CloudWatch) that injects faults.

Without faults it passes bytes through untouched, over one kept-alive connection upstream for each
of its clients' connections. It reads the framing, X-Amz-Target, User-Agent, and the parameters.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from local_aws.data.capacity import Capacity
from local_aws.data.faults import (
    Action,
    AnswerOrder,
    Delay,
    Drop,
    Duplicate,
    FaultPlan,
    Hang,
    LoseAnswer,
    ProxiedRequest,
    Refuse,
    Reorder,
)
from local_aws.data.index_lag import IndexLag
from local_aws.servers.connection_server import ConnectionServer
from local_aws.servers.http_connection import bound_socket, reset_connection
from local_aws.servers.http_framing import RawMessage, read_message
from local_aws.servers.page_refusal import page_refusal

_APPLICATION = re.compile(r"\bapp/(\S+)")
_MAX_HEAD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """`at`: when the request had arrived, on the proxy's monotonic clock. `status` is None if the
    caller got no answer.
    """

    at: float
    seconds: float
    request: ProxiedRequest
    status: int | None
    actions: tuple[Action, ...]


class FaultProxy:
    def __init__(
        self,
        *,
        index_lag: IndexLag | None = None,
        seed: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.faults = FaultPlan(seed=seed)
        self.capacity = Capacity()
        self.index_lag = index_lag
        self.log: deque[LoggedRequest] = deque(maxlen=10_000)
        self._monotonic = monotonic
        self._order = AnswerOrder()
        self._upstream = ("", 0)
        self._server = ConnectionServer(self._serve)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    async def start(self, upstream_url: str) -> None:
        parts = urlsplit(upstream_url)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        await self._server.start(bound_socket(0))

    async def stop(self) -> None:
        await self._server.stop()

    def requests(
        self, *, operation: str | None = None, table: str | None = None
    ) -> list[LoggedRequest]:
        """The logged requests, oldest first, filtered by operation and table."""
        return [
            logged
            for logged in list(self.log)
            if operation in (None, logged.request.operation)
            and (table is None or table in logged.request.tables)
        ]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = _Upstream(self._upstream)
        try:
            while (message := await read_message(reader, is_response=False)) is not None:
                number = self._order.next_number()
                answer = await self._handle(number, message, upstream, reader)
                if answer is None:
                    reset_connection(writer)
                    return
                writer.write(answer.head + answer.body)
                await writer.drain()
                self._order.answered(number)
                if message.closes_connection or answer.closes_connection:
                    return
        except EOFError:
            pass  # the client went away in the middle of a request
        finally:
            upstream.close()
            writer.close()

    async def _handle(
        self, number: int, message: RawMessage, upstream: _Upstream, client: asyncio.StreamReader
    ) -> RawMessage | None:
        """The answer for the client; None when its connection is to be reset."""
        if (refusal := page_refusal(message.header)) is not None:
            return _answer(refusal.status, "application/json", refusal.body)
        at = self._monotonic()
        request = _parse(message)
        actions = self.faults.actions_for(request)
        delays = [action for action in actions if isinstance(action, Delay)]
        fault = next((action for action in actions if not isinstance(action, Delay)), None)
        await asyncio.sleep(sum(delay.before_seconds for delay in delays))
        answer = await self._act(number, fault, request, message, upstream, client)
        await asyncio.sleep(sum(delay.after_seconds for delay in delays))
        status = None if answer is None else int(answer.first_line.split()[1])
        self.log.append(LoggedRequest(at, self._monotonic() - at, request, status, tuple(actions)))
        return answer

    async def _act(
        self,
        number: int,
        fault: Action | None,
        request: ProxiedRequest,
        message: RawMessage,
        upstream: _Upstream,
        client: asyncio.StreamReader,
    ) -> RawMessage | None:
        match fault:
            case Refuse():
                return _refusal(fault)
            case Drop():
                return None
            case Hang():
                await client.read(1)  # b"" when the caller has given up
                return None
            case Duplicate():
                await self._forward(request, message, upstream)
            case Reorder(holds_request=True):
                await self._order.wait(number, fault.at_most_seconds)
        answer = await self._forward(request, message, upstream)
        if isinstance(fault, Reorder) and not fault.holds_request:
            await self._order.wait(number, fault.at_most_seconds)
        return None if isinstance(fault, LoseAnswer) else answer

    async def _forward(
        self, request: ProxiedRequest, message: RawMessage, upstream: _Upstream
    ) -> RawMessage:
        lag = self.index_lag
        before = lag.begin(request) if lag is not None else {}
        answer = await upstream.exchange(message)
        status = int(answer.first_line.split()[1])
        self.capacity.add(request, status, answer.body)
        if lag is not None:
            lag.end(before, succeeded=status == 200)
            body = lag.filter(request, answer.body)
            if body is not answer.body:
                answer = answer.with_body(body)
        return answer


class _Upstream:
    """One connection to the engine, opened when needed and kept while the engine keeps it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, message: RawMessage) -> RawMessage:
        """Raises ConnectionError when the engine cannot be reached."""
        if self._streams is not None and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address, limit=_MAX_HEAD_BYTES)
        reader, writer = self._streams
        writer.write(message.head + message.body)
        answer = await read_message(reader, is_response=True)
        if answer is None:
            raise ConnectionResetError("the engine closed its connection")
        if answer.closes_connection:
            self.close()
        return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _parse(message: RawMessage) -> ProxiedRequest:
    operation = (message.header("x-amz-target") or "").rpartition(".")[2]
    caller = _APPLICATION.search(message.header("user-agent") or "")
    try:
        parameters = json.loads(message.body)
    except ValueError:  # compressed, or not of this protocol
        parameters = {}
    if not isinstance(parameters, dict):
        parameters = {}
    return ProxiedRequest(
        operation, tuple(_tables(parameters)), caller.group(1) if caller else "", parameters
    )


def _tables(parameters: dict[str, Any]) -> Sequence[str]:
    if "TableName" in parameters:
        return [parameters["TableName"]]
    if "RequestItems" in parameters:
        return list(parameters["RequestItems"])
    actions = [one for action in parameters.get("TransactItems", ()) for one in action.values()]
    return list(dict.fromkeys(one["TableName"] for one in actions))


def _refusal(fault: Refuse) -> RawMessage:
    body = json.dumps({"__type": fault.code, "message": fault.message}).encode()
    return _answer(fault.status, "application/x-amz-json-1.0", body)


def _answer(status: int, content_type: str, body: bytes) -> RawMessage:
    head = (
        f"HTTP/1.1 {status} {'Bad Request' if status < 500 else 'Error'}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"x-amzn-RequestId: {uuid.uuid4()}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return RawMessage(head.encode(), body)
