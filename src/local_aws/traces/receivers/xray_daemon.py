"""The X-Ray daemon's UDP port, as the X-Ray SDK in the function finds it.

A datagram is a header line, a newline and one JSON document:
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections import deque
from typing import Any

from local_aws.traces.store import TraceStore

_logger = logging.getLogger(__name__)

# A burst of subsegments must not be lost while the loop is busy; the kernel caps what it grants.
_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
_KEPT_DOCUMENTS = 10_000


class MalformedDatagramError(ValueError):
    """The datagram is not what the daemon reads: the sender's fault."""


def parse_datagram(datagram: bytes) -> dict[str, Any]:
    """The document of one datagram. Raises MalformedDatagramError, which says what is wrong."""
    head, newline, body = datagram.partition(b"\n")
    try:
        header = json.loads(head)
        document = json.loads(body) if newline else None
    except ValueError as error:
        raise MalformedDatagramError(f"not JSON: {error}") from error
    if not isinstance(header, dict) or header.get("format") != "json":
        raise MalformedDatagramError(f"the header line {head[:80]!r} does not say format json")
    if header.get("version") != 1:
        raise MalformedDatagramError(f"version {header.get('version')!r} is not 1")
    if not isinstance(document, dict):
        raise MalformedDatagramError("no JSON object after the header line")
    return document


class XRayDaemon(asyncio.DatagramProtocol):
    """Puts documents into `store` and `documents`; `malformed` counts unreadable datagrams."""

    def __init__(self, store: TraceStore, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._store = store
        self._host = host
        self._port = port
        self._transport: asyncio.DatagramTransport | None = None
        self.documents: deque[dict[str, Any]] = deque(maxlen=_KEPT_DOCUMENTS)
        self.malformed = 0

    async def start(self) -> None:
        """Binds the port. Raises OSError if it is taken."""
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            bound.setblocking(False)
            bound.bind((self._host, self._port))
        except OSError:
            bound.close()
            raise
        self._port = bound.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=bound)

    async def stop(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None
            await asyncio.sleep(0)  # the transport closes its socket on the loop's next turn

    @property
    def address(self) -> str:
        """For AWS_XRAY_DAEMON_ADDRESS."""
        return f"{self._host}:{self._port}"

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if not data:
            return  # as the real one does: https://github.com/aws/aws-xray-daemon, daemon.go, poll
        try:
            document = parse_datagram(data)
            self._store.add_segment(document)
        except ValueError as error:
            self.malformed += 1
            _logger.warning("X-Ray daemon: dropped a datagram of %d bytes: %s", len(data), error)
            return
        self.documents.append(document)
