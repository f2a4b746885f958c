"""The clients of docs/clients.md, with its code, through everything that ends a stream.

All run side by side against one stack; each has a network of its own that can break. Beside them
run some as they are written first, to see what that loses.
"""

from __future__ import annotations

import itertools
import json
import signal
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import pytest

from lambdas.sse_streaming.feeds.position import PositionCodec
from local_aws.background import BackgroundStack
from local_aws.data.faults import THROTTLE, Rule
from local_aws.lambda_side.environment import Phase
from local_aws.lambda_side.invocation import Outcome
from tests.absence import missing
from tests.fakes.client_programs import PROGRAMS, CannotRun, install_npm_packages
from tests.fakes.clients_page import (
    CLIENTS_PAGE,
    DEFAULTS_PAGE,
    code_by_client,
    wrapper_of_the_guide,
)
from tests.fakes.havoc import by_the_function, send
from tests.fakes.ledger import Ledger
from tests.fakes.local import local_stack, wait_until
from tests.fakes.real_clients import Said, browser, page, page_server, running_program
from tests.fakes.relay import Relay

ID_KEY = "0123456789abcdef"
ITEMS_PER_SECOND = 2.0
BIG_ITEM, BIG_BYTES = 2, 390_000
WAIT_SECONDS = 100.0

CODE = code_by_client(CLIENTS_PAGE)
DEFAULT_CODE = {
    f"{client} by default": code for client, code in code_by_client(DEFAULTS_PAGE).items()
}
WRAPPER = "the guide's wrapper"
USE_OF_THE_WRAPPER = """
openStream(url, (type, data) => {
  take({ type, lastEventId: "", data: JSON.stringify(data) });
  if (data.item_id === "leave-the-page") location.href = "left.html";
});
"""
ALL_CODE = {**CODE, **DEFAULT_CODE, WRAPPER: USE_OF_THE_WRAPPER}
STAYS_CLOSED_AFTER_A_429 = {"EventSource in browsers", "EventSource in Node"}
NEEDS_NO_TOOL_OF_CI = {"httpx-sse"}


def its_program(client: str) -> Callable[[str, str], list[str]] | None:
    """None: it runs in the browser."""
    return PROGRAMS.get(client.removesuffix(" by default"))


def parametrize(clients: Iterable[str]) -> pytest.MarkDecorator:
    marked = [
        pytest.param(client, marks=[] if client in NEEDS_NO_TOOL_OF_CI else pytest.mark.ci)
        for client in clients
    ]
    return pytest.mark.parametrize("client", marked)


def refusal(status: int, reason: str) -> bytes:
    """As the Function URL gives it when the function is not even asked."""
    body = json.dumps({"Message": reason}).encode()
    return (
        f"HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\n"
        f"access-control-allow-origin: *\r\ncontent-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    ).encode() + body


@dataclass(slots=True)
class Observed:
    """What all clients were told, what they should have been, and who could not take part."""

    said: dict[str, Said] = field(default_factory=dict)
    missing: dict[str, CannotRun] = field(default_factory=dict)
    published: list[str] = field(default_factory=list)
    was_closed: bool = False

    def of(self, client: str) -> Said:
        if client in self.missing:
            missing(str(self.missing[client]))
        return self.said[client]


@pytest.fixture(scope="module")
def observed(request: pytest.FixtureRequest) -> Iterator[Observed]:
    """Of the clients that some selected test asks for."""
    selected = {
        str(item.callspec.params["client"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path
    }
    # A client as it is written first stands beside the one that stays to the end.
    wanted = selected | {client.removesuffix(" by default") for client in selected}
    with (
        local_stack(
            LOCAL_CONCURRENCY="60",
            LOCAL_SAMPLED="0",
            SSE_ID_KEY=ID_KEY,
            SSE_MAX_CONNECTIONS="60",
            SSE_MAX_STREAM_SECONDS="3",
            SSE_OVERLAP_SECONDS="2",
            SSE_POLL_SECONDS="0.3",
            SSE_POLL_MAX_SECONDS="0.3",
            SSE_HEARTBEAT_SECONDS="0.2",
            SSE_RETRY_MS="300",
        ) as stack,
        ExitStack() as opened,
    ):
        yield Course(stack, wanted, opened).run()


class Course:
    """What every client is put through, each as soon as it can take it."""

    def __init__(self, stack: BackgroundStack, clients: Collection[str], opened: ExitStack) -> None:
        self._stack = stack
        self._clients = clients
        self._opened = opened
        self._relays = {client: opened.enter_context(Relay(stack.url)) for client in clients}
        self._observed = Observed({client: Said() for client in clients})
        self._cut: set[str] = set()

    def run(self) -> Observed:
        self._start_programs()
        self._start_page()
        for client in self._documented:
            wait_until(partial(self._has, client, "ready"), f"{client} is ready", 60)
        self._publish_while_it_breaks()
        last = self._observed.published[-1]
        for client in self._documented:
            wait_until(partial(self._has_item, client, last), f"{client} gets the last item")
        if WRAPPER in self._documented:
            self._stack.publish(item_id="leave-the-page")
            wait_until(self._was_closed, "the wrapper closes its stream")
            self._observed.was_closed = True
        return self._observed

    @property
    def _running(self) -> list[str]:
        return [client for client in self._clients if client not in self._observed.missing]

    @property
    def _documented(self) -> list[str]:
        return [client for client in self._running if client not in DEFAULT_CODE]

    def _said(self, client: str) -> Said:
        return self._observed.said[client]

    def _has(self, client: str, event: str) -> bool:
        return bool(self._said(client).named(event))

    def _has_item(self, client: str, item_id: str) -> bool:
        return item_id in self._said(client).items

    def _start_programs(self) -> None:
        for client in self._clients:
            if (make := its_program(client)) is None:
                continue
            try:
                argv = make(client.replace(" ", "-"), ALL_CODE[client])
            except CannotRun as why:
                self._observed.missing[client] = why
            else:
                argv.append(f"{self._relays[client].url}/stream")
                self._opened.enter_context(running_program(argv, self._said(client)))

    def _start_page(self) -> None:
        code = {one: ALL_CODE[one] for one in self._clients if its_program(one) is None}
        if not code:
            return
        try:
            install_npm_packages()
        except CannotRun as why:
            from_npm = [client for client, text in code.items() if "import {" in text]
            self._observed.missing |= dict.fromkeys(from_npm, why)
        urls = {client: relay.url for client, relay in self._relays.items()}
        html = page(urls, code, wrapper_of_the_guide())
        address = self._opened.enter_context(page_server(html, self._observed.said))
        try:
            self._opened.enter_context(browser(address))
        except CannotRun as why:
            self._observed.missing |= dict.fromkeys(code, why)

    def _publish_while_it_breaks(self) -> None:
        """A rotation, then a killed environment; then DynamoDB refuses leases until everyone has
        been told `busy`; then a cut inside an item, and refusals after it."""
        deadline = time.monotonic() + WAIT_SECONDS
        refused_leases: Rule | None = None
        for number in itertools.count():
            self._publish(number)
            time.sleep(1 / ITEMS_PER_SECOND)
            for client in self._running:
                self._break(client)
            fewest_cuts = min((self._said(client).cuts for client in self._documented), default=2)
            if refused_leases is None and fewest_cuts >= 1:
                refused_leases = self._stack.dynamodb.faults.add(
                    THROTTLE, operation="GetItem", where=by_the_function
                )
            elif refused_leases and all(self._has(client, "busy") for client in self._documented):
                self._stack.dynamodb.faults.remove(refused_leases)
            if fewest_cuts >= 2:
                return
            assert time.monotonic() < deadline, self._progress()

    def _break(self, client: str) -> None:
        said = self._said(client)
        if not said.is_receiving or not said.named("end"):
            return
        if said.cuts == 0:
            self._kill_environment_of(said)
        elif said.named("busy") and client not in self._cut:
            self._cut.add(client)
            if client not in STAYS_CLOSED_AFTER_A_429:
                self._relays[client].answer_next(
                    refusal(429, "Rate Exceeded."), refusal(502, "Internal Server Error")
                )
            self._relays[client].cut_inside_next("sentiment")

    def _kill_environment_of(self, said: Said) -> None:
        """Unless that stream has just ended."""
        trace_id = said.named("ready")[-1]["trace_id"]
        numbers = [
            invocation.environment
            for invocation in self._stack.invocations
            if invocation.trace.root == trace_id and invocation.outcome is Outcome.RUNNING
        ]
        for environment in self._stack.environments:
            if environment.number in numbers and environment.phase is Phase.RUNNING:
                send(environment, signal.SIGKILL)

    def _publish(self, number: int) -> None:
        body = {"body": "x" * BIG_BYTES} if number == BIG_ITEM else {}
        item = self._stack.publish(item_id=f"item-{number}", **body)
        self._observed.published.append(item["item_id"])

    def _was_closed(self) -> bool:
        return any(
            json.loads(invocation.event)["requestContext"]["http"]["method"] == "DELETE"
            for invocation in self._stack.invocations
        )

    def _progress(self) -> str:
        return "; ".join(
            f"{client}: {said.cuts} cuts, {len(said.named('busy'))} busy,"
            f" {len(said.items)} items, last {said.events[-1:]}"
            for client, said in self._observed.said.items()
        )


pytestmark = pytest.mark.timeout(300)


@parametrize([*CODE, WRAPPER])
def test_nothing_is_missed_and_nothing_comes_twice(observed: Observed, client: str) -> None:
    """Two items a second leave room for the whole window in the id, so not even the cuts repeat
    anything."""
    items = observed.of(client).items

    assert [item for item in items if item in observed.published] == observed.published


@parametrize(CODE)
def test_what_a_client_sees_keeps_the_promise_of_its_ids(observed: Observed, client: str) -> None:
    said = observed.of(client)
    ledger = Ledger(PositionCodec(key=ID_KEY.encode(), table="items", index="by_sentiment"))
    for connection in said.connections:
        ledger.connected()
        for told in connection:
            ledger.take(told.name, told.id, told.data)
        ledger.disconnected()

    assert ledger.problems == []
    assert ledger.suspect_repeats == 0
    assert ledger.endings["rotate"] >= 2
    assert ledger.endings["busy"] >= 1
    assert said.cuts >= 2


@parametrize([*CODE, WRAPPER])
def test_only_events_are_taken_for_events(observed: Observed, client: str) -> None:
    """A heartbeat with a blank line after it would be one in some clients, and so would a block
    of an id or a retry alone; the beginning of a block is none."""
    events = observed.of(client).events

    assert {told.name for told in events} == {"ready", "sentiment", "busy", "end"}
    assert all(told.data for told in events)


@parametrize([WRAPPER])
def test_the_wrapper_of_the_guide_closes_its_stream_when_the_page_is_left(
    observed: Observed, client: str
) -> None:
    """From another origin, so that the browser asks first: nobody is there to wait for it."""
    assert observed.of(client)
    assert observed.was_closed


@parametrize(DEFAULT_CODE)
def test_what_is_written_first_loses_items(observed: Observed, client: str) -> None:
    said = observed.of(client)

    assert said.named("ready")
    assert observed.published[-1] not in said.items
