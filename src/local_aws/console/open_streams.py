"""The responses that are being sent now: how long each has been silent, and how to kill it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from local_aws.lambda_side.doors.invoker import Invoker
from local_aws.lambda_side.fleet import Fleet
from local_aws.lambda_side.invocation import Invocation


class OpenStreams:
    """Responses by trace id, which a stream's `ready` event names."""

    def __init__(
        self, invoker: Invoker, fleet: Fleet, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._invoker = invoker
        self._fleet = fleet
        self._wall_clock = wall_clock

    def as_json(self) -> list[dict[str, Any]]:
        """Newest first. `idle_seconds`: time since the last byte to the client, heartbeats included
        (an EventSource hides those from its page)."""
        now = self._wall_clock()
        return [
            {
                "trace_id": invocation.trace.root,
                "environment": invocation.environment,
                "idle_seconds": max(0.0, now - invocation.last_byte_at),
            }
            for invocation in self._open()
        ]

    def kill(self, trace_id: str) -> bool:
        """Kills the process that sends this response; False if there is none."""
        for invocation in self._open():
            if invocation.trace.root == trace_id:
                for environment in self._fleet.environments:
                    if environment.number == invocation.environment:
                        environment.kill()
                        return True
        return False

    def _open(self) -> Iterator[Invocation]:
        for invocation in reversed(self._invoker.invocations):
            if invocation.last_byte_at and not (invocation.answered_at or invocation.finished_at):
                yield invocation
