"""The whole local stack with the real function, started from a test, and a client for it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from local_aws.background import BackgroundStack
from local_aws.feed_of_app import with_feed
from local_aws.settings import Settings

WAIT_SECONDS = 20.0
"""For what has to happen soon on a machine that may be busy."""


@contextmanager
def local_stack(**environ: str) -> Iterator[BackgroundStack]:
    """The stack on free ports, without live items, under these settings."""
    settings = Settings.from_environ({"PORT": "0", "LOCAL_ITEMS_PER_SECOND": "0", **environ})
    with BackgroundStack(settings) as stack:
        yield stack


def feed_settings(handler: str, *, task_root: Path, **environ: str) -> Settings:
    """Of the stack on free ports, with the feed that the handler declares; without reloads, unless
    the variables say so."""
    given = {
        "PORT": "0",
        "APP": handler,
        "LOCAL_TASK_ROOT": str(task_root),
        "LOCAL_RELOAD": "0",
        **environ,
    }
    return asyncio.run(with_feed(Settings.from_environ(given), given))


def wait_until(holds: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Poll until something holds; fails with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class SseEvent:
    """A block as it came: its fields, and when its last byte was there (monotonic)."""

    name: str
    id: str
    data: Mapping[str, Any]
    raw: str
    at: float


@dataclass(slots=True)
class SseResponse:
    """What one request to a stream route brought."""

    status: int
    headers: Mapping[str, str]
    events: list[SseEvent] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    first_byte_at: float | None = None
    ended_at: float | None = None

    def named(self, name: str) -> list[SseEvent]:
        return [event for event in self.events if event.name == name]

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    @property
    def trace_id(self) -> str:
        (ready,) = self.named("ready")
        trace_id = ready.data["trace_id"]
        assert isinstance(trace_id, str)
        return trace_id


@contextmanager
def open_stream(
    url: str,
    *,
    last_event_id: str | None = None,
    trace_header: str | None = None,
    more_headers: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[SseResponse, Iterator[SseEvent]]]:
    """Open a stream; the iterator gives events as they come and ends with the body."""
    headers = {"accept": "text/event-stream", **more_headers}
    if last_event_id is not None:
        headers["last-event-id"] = last_event_id
    if trace_header is not None:
        headers["x-amzn-trace-id"] = trace_header
    with httpx.Client(timeout=70) as client, _when_free(client, "GET", url, headers) as answer:
        response = SseResponse(answer.status_code, dict(answer.headers))
        yield response, _events(answer, response)


def read_stream(
    url: str, *, last_event_id: str | None = None, trace_header: str | None = None
) -> SseResponse:
    """A stream to its end."""
    with open_stream(url, last_event_id=last_event_id, trace_header=trace_header) as opened:
        response, events = opened
        for _ in events:
            pass
    return response


def read_short_stream(url: str, *, last_event_id: str | None = None) -> SseResponse:
    """A stream of a fraction of a second, which a busy machine may end before it has begun: then
    the next one."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (response := read_stream(url, last_event_id=last_event_id)).names == ["end"]:
        assert time.monotonic() < deadline, "no stream begins"
    return response


def request(method: str, url: str, **headers: str) -> httpx.Response:
    """A whole answer."""
    with (
        httpx.Client(timeout=WAIT_SECONDS) as client,
        _when_free(client, method, url, headers) as answer,
    ):
        answer.read()
    return answer


def get(url: str, **headers: str) -> httpx.Response:
    return request("GET", url, **headers)


@contextmanager
def _when_free(
    client: httpx.Client, method: str, url: str, headers: Mapping[str, str]
) -> Iterator[httpx.Response]:
    """Lambda answers 429 while the only environment is still busy after its last answer."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        with client.stream(method, url, headers=dict(headers)) as answer:
            if answer.status_code != 429:
                yield answer
                return
        assert time.monotonic() < deadline, "no environment became free"
        time.sleep(0.005)


def _events(answer: httpx.Response, response: SseResponse) -> Iterator[SseEvent]:
    block: list[str] = []
    for line in answer.iter_lines():
        if response.first_byte_at is None:
            response.first_byte_at = time.monotonic()
        if line.startswith(":"):
            response.comments.append(line)
        elif line:
            block.append(line)
        elif block:
            event = _event(block)
            block = []
            response.events.append(event)
            yield event
    assert not block, f"the body ended inside a block: {block}"
    response.ended_at = time.monotonic()


def _event(block: list[str]) -> SseEvent:
    fields = dict(line.split(": ", 1) for line in block)
    return SseEvent(
        fields["event"],
        fields["id"],
        json.loads(fields["data"]),
        "\n".join(block),
        time.monotonic(),
    )
