"""Where the Runtime API is, and one HTTP/1.1 connection to it: a non-blocking socket, one exchange
at a time."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from lambda_streaming.runtime.errors import ConnectionLostError
from lambda_streaming.runtime.http_parser import Reply, ReplyParser

_RECEIVE_BYTES = 64 * 1024
_DEFAULT_PORT = 80


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`authority` is for the Host header; `base_path` is empty or begins with a slash."""

    host: str
    port: int
    authority: str
    base_path: str = ""


def parse_endpoint(text: str) -> Endpoint:
    """AWS_LAMBDA_RUNTIME_API: `host:port` on AWS, a URL with a path in some emulators.

    (`cargo lambda watch` gives `http://[::]:9000/.rt/function`.) Raises ValueError.
    """
    scheme, separator, rest = text.strip().rpartition("://")
    if separator and scheme.lower() != "http":
        raise _bad(text, "only http is spoken there")
    authority, slash, path = rest.partition("/")
    base_path = (slash + path).rstrip("/")
    if not all("!" <= c <= "~" for c in rest) or any(c in rest for c in "?#@"):
        raise _bad(text, "it must be host:port, or a URL with at most a path")
    host, port = _split_authority(text, authority)
    return Endpoint(host, port, authority, base_path)


def _split_authority(text: str, authority: str) -> tuple[str, int]:
    if authority.startswith("["):
        host, bracket, after = authority[1:].partition("]")
        colon, port = after[:1], after[1:]
        if not bracket or colon not in ("", ":"):
            raise _bad(text, "the IPv6 address has no closing bracket before its port")
    else:
        host, colon, port = authority.partition(":")
        if ":" in port:
            raise _bad(text, "an IPv6 address must stand in brackets")
    if not host:
        raise _bad(text, "it names no host")
    if not colon:
        return host, _DEFAULT_PORT
    if not port.isdigit() or len(port) > 5 or not 0 < int(port) < 65536:
        raise _bad(text, "the port must be a number from 1 to 65535")
    return host, int(port)


def _bad(text: str, why: str) -> ValueError:
    return ValueError(f"AWS_LAMBDA_RUNTIME_API={text!r} cannot be used: {why}")


class Connection:
    """Opened when first needed, kept between exchanges, opened again after the peer closed it.

    Every failure of the socket is raised as ConnectionLostError.
    """

    def __init__(self, endpoint: Endpoint, *, connect_seconds: float) -> None:
        self._endpoint = endpoint
        self._connect_seconds = connect_seconds
        self._socket: socket.socket | None = None
        self._parser = ReplyParser()

    @property
    def sock(self) -> socket.socket:
        """The socket of the exchange that was begun."""
        assert self._socket is not None, "begin() comes first"
        return self._socket

    async def begin(self) -> bool:
        """Connects, unless a kept connection is usable; returns whether one was."""
        self._parser = ReplyParser()
        if self._socket is not None and not _is_idle(self._socket):
            self.close()
        if self._socket is not None:
            return True
        self._socket = await self._connect()
        return False

    async def exchange(self, request: bytes) -> Reply:
        """Sends a whole request and waits for its reply, without a time limit.

        The peer may close a kept connection just when it is used. A request lost that way, before
        any byte of a reply, is sent once more: if both arrive, the Runtime API refuses the second.
        """
        kept = await self.begin()
        try:
            return await self._exchange(request)
        except ConnectionLostError:
            if not kept or self._parser.begun:
                raise
        await self.begin()
        return await self._exchange(request)

    async def _exchange(self, request: bytes) -> Reply:
        try:
            sent_all = await self._send(request)
            while (reply := self.feed(await self._receive())) is None:
                pass
        except BaseException:
            self.close()
            raise
        if not (reply.keep_alive and sent_all):
            self.close()
        return reply

    def receive_ready(self) -> bytes | None:
        """The bytes that have come; None where there are none yet, b"" where the peer closed."""
        try:
            return self.sock.recv(_RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise lost(error) from error

    def feed(self, received: bytes) -> Reply | None:
        """Takes bytes of this exchange's reply; returns it when it is complete.

        Raises MalformedReplyError, and ConnectionLostError where it is cut.
        """
        if received:
            return self._parser.feed(received)
        if (reply := self._parser.end()) is not None:
            return reply
        raise ConnectionLostError("the Runtime API closed the connection without a full reply")

    def try_send(self, data: bytes | memoryview) -> int:
        """How many bytes were accepted at once; 0 where the socket is full."""
        try:
            return self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise lost(error) from error

    def close(self) -> None:
        """Closes at once; what the kernel still holds is sent in the background."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _send(self, request: bytes) -> bool:
        """Returns whether all of it was sent: a reply before its end, such as 413, stops it."""
        rest = memoryview(request)
        try:
            while rest := rest[self.try_send(rest) :]:
                if await self._ready_to_receive_before_sending():
                    return False
        except ConnectionLostError:
            # A server that refuses a request may close before it has read all of it, with its
            # reply already on the way: the reply says more than the broken pipe does.
            return False
        return True

    async def _ready_to_receive_before_sending(self) -> bool:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[bool] = loop.create_future()
        descriptor = self.sock.fileno()
        loop.add_reader(descriptor, _resolve, ready, True)
        loop.add_writer(descriptor, _resolve, ready, False)
        try:
            return await ready
        finally:
            loop.remove_reader(descriptor)
            loop.remove_writer(descriptor)

    async def _receive(self) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self.sock, _RECEIVE_BYTES)
        except OSError as error:
            raise lost(error) from error

    async def _connect(self) -> socket.socket:
        try:
            # As bytes: a str would import the IDNA codec, which is slow at a cold start.
            addresses = socket.getaddrinfo(
                self._endpoint.host.encode(), self._endpoint.port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            raise lost(error) from error
        failure = ConnectionLostError("the host of the Runtime API has no address")
        for family, kind, protocol, _, address in addresses:
            try:
                return await self._connect_to(family, kind, protocol, address)
            except OSError as error:
                failure = lost(error)
        raise failure

    async def _connect_to(
        self, family: int, kind: int, protocol: int, address: tuple[object, ...]
    ) -> socket.socket:
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.setblocking(False)
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(self._connect_seconds):
                await asyncio.get_running_loop().sock_connect(connecting, address)
        except BaseException:
            connecting.close()
            raise
        return connecting


def _is_idle(kept: socket.socket) -> bool:
    """Whether nothing came on a kept connection: after data or an end it takes no request."""
    try:
        kept.recv(1, socket.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return True
    except OSError:
        pass
    return False


def _resolve(ready: asyncio.Future[bool], value: bool) -> None:
    if not ready.done():
        ready.set_result(value)


def lost(error: OSError) -> ConnectionLostError:
    """What a failure of the socket means."""
    return ConnectionLostError(
        f"{type(error).__name__}: {error.strerror or str(error) or 'timed out'}"
    )
