"""The requests to every front door, and new ones sent from the console's page."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from local_aws.console.sending.answer_lines import AnswerLines, Line
from local_aws.console.sending.door_client import BrokenAnswerError, connected
from local_aws.console.sending.form import FORM_DOORS, METHODS, OutgoingRequest
from local_aws.lambda_side.doors.request_log import Exchange, RequestLog
from local_aws.settings import DoorName


class DoorRequests:
    """`ports`: where each front door listens, on this computer; nothing else is ever sent to."""

    def __init__(
        self,
        log: RequestLog,
        ports: Mapping[DoorName, int],
        *,
        wall_clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._ports = ports
        self._wall_clock = wall_clock
        self._monotonic = monotonic

    def choices(self) -> dict[str, Any]:
        """What the form offers."""
        doors = [{"name": name, "label": door.label} for name, door in FORM_DOORS.items()]
        return {"doors": doors, "methods": METHODS}

    def as_json(self, limit: int) -> list[dict[str, Any]]:
        """The latest, newest first."""
        return [_as_json(exchange) for exchange in self._log.latest(limit)]

    async def send(self, request: OutgoingRequest) -> AsyncIterator[Line]:
        """The answer's head, chunks, events and end, each when it is there. Closing the iterator
        closes the connection, as a client does that leaves.
        """
        began = self._monotonic()

        def at_ms() -> float:
            return round((self._monotonic() - began) * 1000, 3)

        try:
            async with connected(self._ports[request.door]) as client:
                await client.send(request)
                head = await client.head()
                lines = AnswerLines(head)
                exchange = self._log.of_client(request.door, client.client_port)
                own = _as_json(exchange) if exchange is not None else None
                yield {**lines.head(at_ms=at_ms()), "request": own}
                async for chunk in client.chunks(head):
                    for line in lines.chunk(chunk, at_ms=at_ms(), at=self._wall_clock()):
                        yield line
                yield lines.end(at_ms=at_ms())
        except BrokenAnswerError as error:
            yield {"kind": "broken", "at_ms": at_ms(), "message": str(error)}
        except OSError as error:
            why = f"the door cannot be reached: {error.strerror or error}"
            yield {"kind": "broken", "at_ms": at_ms(), "message": why}


def _as_json(exchange: Exchange) -> dict[str, Any]:
    def after_ms(at: float | None) -> float | None:
        return None if at is None else round((at - exchange.received_at) * 1000, 3)

    trace = exchange.trace
    return {
        "number": exchange.number,
        "door": exchange.door,
        "method": exchange.method,
        "path": exchange.path,
        "received_at": exchange.received_at,
        "status": exchange.status,
        "is_streamed": exchange.is_streamed,
        "bytes": exchange.body_bytes,
        "head_ms": after_ms(exchange.began_at),
        "took_ms": after_ms(exchange.ended_at),
        "is_whole": exchange.is_whole,
        "trace_id": None if trace is None else trace.root,
        "is_sampled": trace is not None and trace.sampled,
    }
