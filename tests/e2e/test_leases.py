"""Slots through crashes, cuts, outages and the close route, with real processes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from local_aws.background import BackgroundStack
from local_aws.data.clients import local_client
from local_aws.data.faults import THROTTLE, LoseAnswer
from local_aws.feed.drain import mark
from tests.fakes.havoc import busy_environment, by_the_function, send
from tests.fakes.local import SseEvent, get, local_stack, open_stream, request, wait_until

LEASE_SECONDS = 2.0
RENEWAL_SECONDS = LEASE_SECONDS / 3
SLOTS = 3


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with local_stack(
        SSE_MAX_CONNECTIONS=str(SLOTS),
        SSE_LEASE_SECONDS=str(LEASE_SECONDS),
        SSE_POLL_SECONDS="0.3",
        SSE_POLL_MAX_SECONDS="0.3",
        SSE_HEARTBEAT_SECONDS="0.3",
        SSE_AWS_TIMEOUT_SECONDS="0.5",
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def _all_slots_are_free(stack: BackgroundStack) -> None:
    stack.back_to_normal()
    wait_until(lambda: taken(stack) == 0, "all slots are free")


def taken(stack: BackgroundStack) -> int:
    status = get(f"{stack.url}/stream/status").json()
    assert status["max"] == SLOTS
    assert status["available"] == SLOTS - status["current"]
    current = status["current"]
    assert isinstance(current, int)
    return current


class Viewer:
    """An open stream, read when asked."""

    def __init__(
        self, stack: BackgroundStack, opened: ExitStack, last_event_id: str | None = None
    ) -> None:
        url = f"{stack.url}/stream"
        self._network = opened.enter_context(ExitStack())
        self.response, self._events = self._network.enter_context(
            open_stream(url, last_event_id=last_event_id)
        )
        self.first = next(self._events)

    @property
    def connection_id(self) -> str:
        return str(self.first.data["connection_id"])

    @property
    def slot(self) -> str:
        return self.connection_id.partition(".")[0]

    def next(self) -> SseEvent:
        return next(self._events)

    def cut(self) -> None:
        self._network.close()


def ended(stack: BackgroundStack, connection_id: str) -> dict[str, Any] | None:
    """The log line of a stream's end."""
    for line in stack.function_log():
        if connection_id in line and "stream ended" in line:
            found: dict[str, Any] = json.loads(line[line.index("{") :])
            return found
    return None


def test_a_killed_environments_slot_is_free_two_seconds_after_its_lease(
    stack: BackgroundStack,
) -> None:
    with ExitStack() as opened:
        Viewer(stack, opened)
        environment = busy_environment(stack, "/stream")
        assert environment is not None
        assert taken(stack) == 1

        send(environment, signal.SIGKILL)
        wait_until(lambda: taken(stack) == 0, "the slot is free", LEASE_SECONDS + 2)
    assert not os.path.exists(f"/proc/{environment.pid}")


def test_a_cut_client_takes_its_slot_over_and_the_old_stream_is_superseded(
    stack: BackgroundStack,
) -> None:
    with ExitStack() as opened:
        first = Viewer(stack, opened)
        first.cut()
        second = Viewer(stack, opened, first.first.id)

        assert second.first.data["resumed"] is True
        assert second.first.data["session_id"] == first.first.data["session_id"]
        assert second.first.data["sequence"] == 2
        assert second.slot == first.slot
        assert taken(stack) == 1
        wait_until(lambda: ended(stack, first.connection_id), "the old stream ends", 2.5)
        line = ended(stack, first.connection_id)
        assert line is not None
        assert line["reason"] == "superseded"
        assert taken(stack) == 1
        close(stack, second)


def test_a_stream_that_cannot_renew_goes_on_until_somebody_has_its_slot(
    stack: BackgroundStack,
) -> None:
    with ExitStack() as opened:
        unlucky = Viewer(stack, opened)
        blocked = stack.dynamodb.faults.add(
            THROTTLE,
            operation="UpdateItem",
            where=lambda request: request.parameters["Key"]["sk"] == {"S": unlucky.slot},
        )
        wait_until(lambda: taken(stack) == 0, "its lease is over", LEASE_SECONDS + 2)
        stack.publish(item_id="during-the-outage")
        assert unlucky.next().data["item_id"] == "during-the-outage"

        others = [Viewer(stack, opened) for _ in range(SLOTS)]
        assert unlucky.slot in {other.slot for other in others}
        stack.dynamodb.faults.remove(blocked)
        last = unlucky.next()

        assert (last.name, last.data["reason"]) == ("end", "evicted")
        assert taken(stack) == SLOTS
        for other in others:
            close(stack, other)


def test_a_client_beyond_the_limit_gets_busy(stack: BackgroundStack) -> None:
    with ExitStack() as opened:
        viewers = [Viewer(stack, opened) for _ in range(SLOTS)]
        assert taken(stack) == SLOTS

        refused = Viewer(stack, opened)

        assert refused.response.status == 200
        assert refused.first.name == "busy"
        assert refused.first.data["limit"] == SLOTS
        for viewer in viewers:
            close(stack, viewer)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/stream/{}"),
        pytest.param("POST", "/stream/{}/close", marks=pytest.mark.ci),
    ],
)
def test_a_closed_stream_ends_within_its_next_renewal(
    stack: BackgroundStack, method: str, path: str
) -> None:
    with ExitStack() as opened:
        viewer = Viewer(stack, opened)

        answers = [
            request(method, f"{stack.url}{path.format(viewer.connection_id)}") for _ in range(2)
        ]
        started = time.monotonic()
        last = viewer.next()

        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json()["connection_id"] == viewer.connection_id
        assert (last.name, last.data["reason"]) == ("end", "cancelled")
        assert time.monotonic() - started <= answers[0].json()["ends_within_seconds"]
        wait_until(lambda: taken(stack) == 0, "its slot is free", 1.0)


def test_a_drain_ends_all_streams_and_refuses_newcomers_until_it_is_over(
    stack: BackgroundStack,
) -> None:
    table = stack.stack.names.connections
    dynamodb = local_client("dynamodb", stack.dynamodb.url)
    with ExitStack() as opened:
        opened.callback(dynamodb.close)
        viewers = [Viewer(stack, opened) for _ in range(2)]
        started = time.monotonic()
        mark(dynamodb, table, until=int(time.time()) + 60)
        opened.callback(mark, dynamodb, table, until=0)

        endings = [viewer.next() for viewer in viewers]

        assert [ending.data["reason"] for ending in endings] == ["drain", "drain"]
        assert time.monotonic() - started < 2 * RENEWAL_SECONDS + 1.5
        refused = Viewer(stack, opened).first
        assert (refused.name, refused.data["reason"]) == ("busy", "draining")
        mark(dynamodb, table, until=0)
        back = Viewer(stack, opened, endings[0].id)
        assert back.first.data["resumed"] is True
        close(stack, back)


@pytest.mark.ci
def test_an_acquire_whose_answer_is_lost_keeps_no_slot(
    stack: BackgroundStack,
) -> None:
    with ExitStack() as opened:
        stack.dynamodb.faults.add(LoseAnswer(), operation="PutItem", where=by_the_function, times=1)
        refused = Viewer(stack, opened).first

        assert (refused.name, refused.data["reason"]) == ("busy", "unavailable")
        wait_until(lambda: taken(stack) == 0, "the slot is free", LEASE_SECONDS / 2)


def close(stack: BackgroundStack, viewer: Viewer) -> None:
    request("DELETE", f"{stack.url}/stream/{viewer.connection_id}")
