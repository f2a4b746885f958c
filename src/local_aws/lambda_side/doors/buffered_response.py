"""One response, from the function to the client of a front door that buffers."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import Protocol

import h11

from local_aws.lambda_side.doors.http_request import HttpRequest
from local_aws.lambda_side.doors.invoker import Arrival, Invoker
from local_aws.lambda_side.doors.payload import whole_payload
from local_aws.lambda_side.doors.proxy_answer import MalformedAnswerError, ProxyAnswer
from local_aws.lambda_side.fleet import ConcurrencyLimitError
from local_aws.lambda_side.invocation import InvocationFailedError
from local_aws.servers.http_connection import HttpConnection

_HOP_BY_HOP = frozenset(
    {"connection", "content-length", "keep-alive", "transfer-encoding", "trailer", "upgrade"}
)


class Problem(enum.Enum):
    """Why a door answers on the function's behalf."""

    NO_HTTP = "no HTTP"
    TOO_LARGE = "the request is too large"
    THROTTLED = "throttled"
    FAILED = "the function failed"
    MALFORMED = "the function's answer is malformed"
    TIMED_OUT = "the function took too long"


class BufferingDoor(Protocol):
    @property
    def answer_seconds(self) -> float | None:
        """How long the door waits for the whole answer; None: as long as the function may run."""

    def read_answer(self, payload: bytes, arrival: Arrival) -> ProxyAnswer:
        """Raises MalformedAnswerError."""

    async def explain(self, http: HttpConnection, problem: Problem, arrival: Arrival) -> int:
        """Answers on the function's behalf, and gives the status."""


async def answer_buffered(
    http: HttpConnection,
    request: HttpRequest,
    event: bytes,
    arrival: Arrival,
    *,
    door: BufferingDoor,
    invoker: Invoker,
    say: Callable[[str], None],
) -> None:
    """Invokes the function with the event and passes on what it answers; says why where it is not
    the function's answer that the client gets."""
    try:
        invocation, _ = invoker.begin(arrival, event)
    except ConcurrencyLimitError:
        await door.explain(http, Problem.THROTTLED, arrival)
        return
    why: str
    try:
        async with asyncio.timeout(door.answer_seconds):
            payload = await whole_payload(invocation.relay)
        answer = door.read_answer(payload, arrival)
        await _send(http, answer)
    except TimeoutError:
        await invocation.relay.detach()
        problem, why = Problem.TIMED_OUT, f"no whole answer in {door.answer_seconds:g} s"
    except InvocationFailedError as failure:
        problem, why = Problem.FAILED, str(failure)
    except MalformedAnswerError as error:
        problem, why = Problem.MALFORMED, str(error)
    else:
        invocation.status = answer.status
        return
    invocation.status = await door.explain(http, problem, arrival)
    say(f"{invocation.status} for {request.method} {invocation.request_id}: {why}")


async def _send(http: HttpConnection, answer: ProxyAnswer) -> None:
    """Raises MalformedAnswerError for headers that HTTP forbids, PeerClosedError."""
    headers = [pair for pair in answer.headers if pair[0].lower() not in _HOP_BY_HOP]
    body = b"" if answer.status in (204, 304) else answer.body
    try:
        encoded = http.encode_response(answer.status, headers, body)
    except (h11.LocalProtocolError, UnicodeEncodeError) as error:
        raise MalformedAnswerError(f"headers cannot be sent: {error}") from error
    await http.write(encoded)
