"""Kept connections to AWS, and what a freeze does to them."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from http.client import parse_headers

import pytest

from lambdas.sse_streaming.aws.clients import AwsClients, aws_failures
from lambdas.sse_streaming.aws.errors import AwsUnavailable

_ANSWER = b'{"Item":{}}'
_RESET = struct.pack("ii", 1, 0)


class ForgetfulServer:
    """Answers one request a connection; at the next one on it, resets, as a peer that forgot."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer_once, args=(connection,)).start()

    def _answer_once(self, connection: socket.socket) -> None:
        with connection:
            _read_request(connection)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
                b"Content-Length: %d\r\n\r\n" % len(_ANSWER) + _ANSWER
            )
            connection.recv(65536)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def _read_request(connection: socket.socket) -> None:
    """All of it: what is left unread would reset the connection before the next request."""
    with connection.makefile("rb") as stream:
        length = parse_headers(stream).get("Content-Length") if stream.readline() else None
        stream.read(int(length or 0))


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForgetfulServer]:
    server = ForgetfulServer()
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    yield server
    server.close()


def test_a_connection_kept_through_a_freeze_is_not_used_again(forgetful: ForgetfulServer) -> None:
    clients = AwsClients({"AWS_REGION": "us-east-1"}, timeout_seconds=2)
    client = clients.make("dynamodb")

    def request() -> None:
        with aws_failures():
            client.get_item(TableName="items", Key={"item_id": {"S": "a"}})

    request()
    clients.thaw(60)
    request()

    clients.thaw(1)  # a short rest: the kept connection is used, and fails as it must here
    with pytest.raises(AwsUnavailable):
        request()
    client.close()
