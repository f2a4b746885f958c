"""Opens one stream of a deployed function, as a client would, and closes it by its close route."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_READ_SECONDS = 60


class StreamFailedError(Exception):
    """The URL did not answer with a stream; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client saw. `trace_id` is X-Ray's ("1-…"); `events` are the blocks' event names."""

    trace_id: str
    events: tuple[str, ...]


Sign = Callable[[str, str], Mapping[str, str]]
"""Makes the headers that authorise (method, url)."""


def unsigned(method: str, url: str) -> Mapping[str, str]:
    """For URLs that anybody may use."""
    return {}


def signed(session: Any, region: str, service: str = "lambda") -> Sign:
    """Signs with a botocore session's credentials."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import NoCredentialsError

    def sign(method: str, url: str) -> Mapping[str, str]:
        request = AWSRequest(method=method, url=url)
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        SigV4Auth(credentials.get_frozen_credentials(), service, region).add_auth(request)
        return dict(request.headers.items())

    return sign


def sampled_header(now_seconds: float) -> str:
    """A trace that X-Ray is asked to keep, whatever its sampling rules would say."""
    return f"Root=1-{int(now_seconds):08x}-{os.urandom(12).hex()};Sampled=1"


def stream_for(url: str, seconds: float, sign: Sign) -> Seen:
    """Hold a stream open, close it by its close route and read it to its end.

    Raises StreamFailedError.
    """
    address = f"{url.rstrip('/')}/stream?backfill=5"
    headers = {"x-amzn-trace-id": sampled_header(time.time())}
    close_at = time.monotonic() + seconds
    trace_id, connection_id, events, is_closed = "", "", [], False
    with _answer("GET", address, sign, headers) as response:
        if response.status != 200:
            raise StreamFailedError(f"{address} answered {response.status}: {response.read(500)!r}")
        for name, data in event_blocks(iter(response.readline, b"")):
            events.append(name)
            if name == "ready":
                trace_id, connection_id = data.get("trace_id") or "", data["connection_id"]
            if name == "busy":
                raise StreamFailedError(f"the function is busy: {data}")
            if connection_id and not is_closed and time.monotonic() >= close_at:
                closing = f"{url.rstrip('/')}/stream/{connection_id}"
                with _answer("DELETE", closing, sign, {}) as closed:
                    closed.read()
                is_closed = True
    if not trace_id:
        raise StreamFailedError(f"the stream told no trace id; it sent {events}: is it sampled?")
    return Seen(trace_id, tuple(events))


def event_blocks(lines: Iterator[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(event, data) of each block; a comment, such as a heartbeat, is an event named ""."""
    name, data = "", ""
    for line in lines:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data = value
        elif line.startswith(b":"):
            yield "", {}
        elif field == "" and name:
            yield name, json.loads(data)
            name, data = "", ""


@contextmanager
def _answer(
    method: str, url: str, sign: Sign, headers: Mapping[str, str]
) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(url)
    scheme = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = scheme(parts.netloc, timeout=_READ_SECONDS)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    try:
        connection.request(method, path, headers={**sign(method, url), **headers})
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()
