"""The latest requests to the front doors, and how each was answered.

No query strings, headers or bodies are kept: they may be secrets.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from local_aws.traces.trace_header import Trace

_KEPT = 500
_MAX_PATH_CHARACTERS = 500


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request and its answer, which may be under way; an AnswerObserver. Epoch seconds.

    `status` is None before the head. `trace` and `request_id` are those of an arrival at Lambda:
    a preflight that the door answers itself has none. `is_whole` is known at the end.
    """

    number: int
    door: str
    method: str
    path: str
    client_port: int
    received_at: float
    wall_clock: Callable[[], float] = field(repr=False)
    status: int | None = None
    is_streamed: bool = False
    body_bytes: int = 0
    began_at: float | None = None
    last_byte_at: float | None = None
    ended_at: float | None = None
    is_whole: bool = False
    request_id: str | None = None
    trace: Trace | None = None

    def arrived(self, request_id: str, trace: Trace) -> None:
        self.request_id, self.trace = request_id, trace

    def began(self, status: int, *, is_streamed: bool) -> None:
        self.status, self.is_streamed = status, is_streamed
        self.began_at = self.wall_clock()

    def sent(self, body_bytes: int) -> None:
        self.body_bytes += body_bytes
        self.last_byte_at = self.wall_clock()

    def ended(self, *, is_whole: bool) -> None:
        self.is_whole = is_whole
        self.ended_at = self.wall_clock()


class RequestLog:
    def __init__(self, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self._numbers = itertools.count(1)
        self._exchanges: deque[Exchange] = deque(maxlen=_KEPT)

    def begin(self, door: str, method: str, target: str, *, client_port: int) -> Exchange:
        exchange = Exchange(
            number=next(self._numbers),
            door=door,
            method=method,
            path=target.partition("?")[0][:_MAX_PATH_CHARACTERS],
            client_port=client_port,
            received_at=self._wall_clock(),
            wall_clock=self._wall_clock,
        )
        self._exchanges.append(exchange)
        return exchange

    def latest(self, limit: int) -> list[Exchange]:
        """Newest first."""
        return list(itertools.islice(reversed(self._exchanges), limit))

    def of_client(self, door: str, client_port: int) -> Exchange | None:
        """The latest request of the connection that a client on this computer has to a door."""
        for exchange in reversed(self._exchanges):
            if (exchange.door, exchange.client_port) == (door, client_port):
                return exchange
        return None
