"""Invocations of the function, whichever door asks for them."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from local_aws.lambda_side.doors.http_request import HttpRequest
from local_aws.lambda_side.environment import Environment
from local_aws.lambda_side.fleet import ConcurrencyLimitError, Fleet
from local_aws.lambda_side.invocation import Invocation
from local_aws.traces.trace_header import Trace, start_trace

# Of a synchronous invocation: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_EVENT_BYTES = 6 * 1024 * 1024
_INVOCATIONS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that has come in; `received_at` in epoch seconds."""

    request_id: str
    trace: Trace
    received_at: float


class Invoker:
    """`invocations`: the latest, oldest first; `throttled`: how many Lambda has refused."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        function_arn: str,
        sampled: bool,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.invocations: deque[Invocation] = deque(maxlen=_INVOCATIONS_KEPT)
        self.throttled = 0
        self.function_arn = function_arn
        self.wall_clock = wall_clock
        self._fleet = fleet
        self._sampled = sampled

    def arrival(self, request: HttpRequest) -> Arrival:
        """Continues the client's trace where it sent one."""
        now = self.wall_clock()
        sent = request.joined_headers.get("x-amzn-trace-id")
        trace = start_trace(sent, sampled_by_default=self._sampled, clock=lambda: now)
        arrival = Arrival(str(uuid.uuid4()), trace, now)
        if request.exchange is not None:
            request.exchange.arrived(arrival.request_id, trace)
        return arrival

    def begin(
        self, arrival: Arrival, event: bytes, *, client_context: str | None = None
    ) -> tuple[Invocation, Environment]:
        """Raises ConcurrencyLimitError."""
        invocation = Invocation(
            request_id=arrival.request_id,
            event=event,
            trace=arrival.trace,
            function_arn=self.function_arn,
            received_at=arrival.received_at,
            client_context=client_context,
        )
        try:
            environment = self._fleet.begin(invocation)
        except ConcurrencyLimitError:
            self.throttled += 1
            raise
        self.invocations.append(invocation)
        return invocation, environment
