"""The Runtime API as the probe speaks it: without the library, which refuses what is sent here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any, NamedTuple

_API = "/2018-06-01/runtime/invocation"
_INTEGRATION = "application/vnd.awslambda.http-integration-response"
_TRAILERS = ("Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body")
_DELIMITER_BYTES = 8


class Invocation(NamedTuple):
    """`fields` are the headers that the Runtime API gave it with, in lower case."""

    id: str
    fields: Mapping[str, str]
    event: Any


class RuntimeCalls:
    """Calls of the Runtime API, each on a connection of its own."""

    def __init__(self, address: str) -> None:
        self._address = address

    def next(self) -> Invocation:
        connection = HTTPConnection(self._address)
        connection.request("GET", f"{_API}/next")
        reply = connection.getresponse()
        fields = {name.lower(): value for name, value in reply.getheaders()}
        event = json.loads(reply.read())
        connection.close()
        return Invocation(fields["lambda-runtime-aws-request-id"], fields, event)

    def answer_whole(self, invocation: Invocation, document: Mapping[str, Any]) -> None:
        """For front doors that take no stream."""
        self._post(invocation, "response", document, {})

    def fail(self, invocation: Invocation) -> None:
        body = {"errorMessage": "the probe was asked to fail", "errorType": "Probe.Failed"}
        self._post(invocation, "error", body, _error_type())

    def stream(self, invocation: Invocation) -> Stream:
        """Begins a streamed answer; its head is the prelude that is sent first."""
        connection = HTTPConnection(self._address)
        connection.putrequest("POST", f"{_API}/{invocation.id}/response")
        for name, value in {
            "Content-Type": _INTEGRATION,
            "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Transfer-Encoding": "chunked",
            "Trailer": ", ".join(_TRAILERS),
            **_echoed(invocation),
        }.items():
            connection.putheader(name, value)
        connection.endheaders()
        return Stream(connection)

    def _post(
        self, invocation: Invocation, verb: str, body: Mapping[str, Any], fields: Mapping[str, str]
    ) -> None:
        connection = HTTPConnection(self._address)
        path = f"{_API}/{invocation.id}/{verb}"
        text = json.dumps(body).encode()
        connection.request("POST", path, text, {**fields, **_echoed(invocation)})
        connection.getresponse().read()
        connection.close()


class Stream:
    """A streamed answer that is being sent."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    def prelude(self, document: Mapping[str, Any], size_bytes: int = 0) -> None:
        """With blanks, which JSON allows, up to the size that is asked for."""
        text = json.dumps(document).encode()
        self.send(text.ljust(size_bytes - _DELIMITER_BYTES) + bytes(_DELIMITER_BYTES))

    def send(self, data: bytes) -> None:
        if data:
            self._connection.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self, *, failed: bool = False) -> None:
        trailers = "".join(f"{name}: {value}\r\n" for name, value in _error_type().items())
        self._connection.send(f"0\r\n{trailers if failed else ''}\r\n".encode())
        self._connection.getresponse().read()
        self._connection.close()


def _echoed(invocation: Invocation) -> dict[str, str]:
    """What an answer has to give back where the invocation had it."""
    given = invocation.fields.get("lambda-runtime-invocation-id")
    return {"Lambda-Runtime-Invocation-Id": given} if given else {}


def _error_type() -> dict[str, str]:
    return {_TRAILERS[0]: "Function.ProbeFailed"}
