"""Clients as people use them, through rotations, a cut, a refusal, a 429 and a 502.

All run side by side against one stack; each has a network of its own that can break.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import pytest

from lambdas.sse_streaming.cursor import PositionCodec
from local_aws.background import BackgroundStack
from local_aws.faults import THROTTLE
from local_aws.settings import REPOSITORY_ROOT
from tests.absence import missing
from tests.fakes.havoc import by_the_function
from tests.fakes.ledger import Ledger
from tests.fakes.local import local_stack, wait_until
from tests.fakes.real_clients import (
    SCRIPTS,
    CannotRun,
    Said,
    browser,
    builtin_script,
    command_line_client,
    curl_script,
    npm_script,
    page_server,
    python_script,
)
from tests.fakes.relay import Relay

ID_KEY = "0123456789abcdef"
ITEMS_PER_SECOND = 2.0
COMMAND_LINE = {
    "npm eventsource": npm_script,
    "node built-in": builtin_script,
    "httpx-sse": lambda: python_script("httpx_sse_client.py"),
    "curl": curl_script,
}
PAGE = ("plain", "busy", "wrapper")
PATIENCE_SECONDS = 45.0


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
    """What all clients saw, what they should have seen, and who could not take part."""

    said: dict[str, Said] = field(default_factory=dict)
    missing: dict[str, CannotRun] = field(default_factory=dict)
    published: list[str] = field(default_factory=list)
    was_closed: bool = False

    def of(self, client: str) -> Said:
        if client in self.missing:
            missing(str(self.missing[client]))
        return self.said[client]


@pytest.fixture(scope="module")
def observed() -> Iterator[Observed]:
    with (
        local_stack(
            SSE_ID_KEY=ID_KEY,
            SSE_MAX_STREAM_SECONDS="3",
            SSE_OVERLAP_SECONDS="2",
            SSE_POLL_SECONDS="0.3",
            SSE_POLL_MAX_SECONDS="0.3",
            SSE_HEARTBEAT_SECONDS="0.2",
            SSE_RETRY_MS="300",
        ) as stack,
        ExitStack() as opened,
    ):
        yield _observe(stack, opened)


def _observe(stack: BackgroundStack, opened: ExitStack) -> Observed:
    observed = Observed()
    relays = {name: opened.enter_context(Relay(stack.url)) for name in (*PAGE, *COMMAND_LINE)}
    _open_page(stack, observed, relays, opened)
    for name, make_argv in COMMAND_LINE.items():
        observed.said[name] = Said()
        try:
            argv = [*make_argv(), f"{relays[name].url}/stream"]
        except CannotRun as why:
            observed.missing[name] = why
        else:
            opened.enter_context(command_line_client(argv, observed.said[name]))
    taking_part = [name for name in relays if name not in observed.missing]
    for name in taking_part:
        if name != "busy":  # it was told to come back in 5 to 15 s
            wait_until(partial(observed.said[name].events, "ready"), f"{name} is ready", 45)
    _publish_while_it_breaks(stack, observed, relays, taking_part)
    return observed


def _open_page(
    stack: BackgroundStack, observed: Observed, relays: dict[str, Relay], opened: ExitStack
) -> None:
    """Its plain and its wrapped EventSource, after one whose first request finds AWS throttled."""
    observed.said |= {name: Said() for name in PAGE}
    wrapper = re.search(r"```js\n(.*?)```", (REPOSITORY_ROOT / "README.md").read_text(), re.DOTALL)
    assert wrapper is not None, "the README has no client wrapper"
    page = (SCRIPTS / "page.html").read_text().replace("WRAPPER_OF_THE_README", wrapper.group(1))
    address = opened.enter_context(page_server(page, observed.said))
    query = "&".join(f"{name}={relays[name].url}" for name in PAGE)
    stack.dynamodb.faults.add(THROTTLE, operation="GetItem", where=by_the_function, times=1)
    try:
        opened.enter_context(browser(f"{address}?{query}"))
    except CannotRun as why:
        observed.missing |= dict.fromkeys(PAGE, why)
        stack.back_to_normal()
    else:
        wait_until(lambda: observed.said["busy"].events("busy"), "busy at first", 30)


def _publish_while_it_breaks(
    stack: BackgroundStack, observed: Observed, relays: dict[str, Relay], clients: list[str]
) -> None:
    """Until everyone has been through two rotations and the breaks were made."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    breaking = [name for name in clients if name != "busy"]
    is_cut: set[str] = set()
    for number in itertools.count():
        observed.published.append(stack.publish(item_id=f"item-{number}")["item_id"])
        time.sleep(1 / ITEMS_PER_SECOND)
        for name in breaking:
            said = observed.said[name]
            if name not in is_cut and said.events("end") and _is_receiving(said):
                is_cut.add(name)
                if name == "wrapper":
                    relays[name].answer_next(
                        refusal(429, "Rate Exceeded."), refusal(502, "Internal Server Error")
                    )
                relays[name].cut()
        if all(_items(observed.said[name]) for name in clients) and all(
            name in is_cut and _has_rotated_twice(observed.said[name]) for name in breaking
        ):
            break
        assert time.monotonic() < give_up_at, _progress(observed, clients)
    last = observed.published[-1]
    for name in clients:
        wait_until(partial(_has_item, observed.said[name], last), f"{name} gets the last item")
    if "wrapper" in clients:
        stack.publish(item_id="close-the-wrapper")
        wait_until(lambda: _was_closed(stack), "the wrapper closes its stream")
        observed.was_closed = True


def _is_receiving(said: Said) -> bool:
    """In the middle of a stream: something came after its `ready`."""
    names = [record.get("name") for record in said.records if record["kind"] == "event"]
    return names[-1] == "sentiment"


def _has_rotated_twice(said: Said) -> bool:
    return len([end for end in said.events("end") if end["reason"] == "rotate"]) >= 2


def _items(said: Said) -> list[str]:
    return [item["item_id"] for item in said.events("sentiment")]


def _has_item(said: Said, item_id: str) -> bool:
    return item_id in _items(said)


def _was_closed(stack: BackgroundStack) -> bool:
    return any(
        json.loads(invocation.event)["requestContext"]["http"]["method"] == "DELETE"
        for invocation in stack.invocations
    )


def _progress(observed: Observed, clients: list[str]) -> str:
    return "; ".join(
        f"{name}: {len(observed.said[name].events('end'))} ends,"
        f" {len(_items(observed.said[name]))} items, last {observed.said[name].records[-1:]}"
        for name in clients
    )


@pytest.mark.timeout(150)
@pytest.mark.parametrize("client", [*COMMAND_LINE, "plain", "wrapper"])
def test_nothing_is_missed_and_nothing_comes_twice(observed: Observed, client: str) -> None:
    """Two items a second leave room for the whole window in the id, so not even the cut repeats
    anything."""
    items = _items(observed.of(client))

    assert [item for item in items if item in observed.published] == observed.published


@pytest.mark.timeout(150)
@pytest.mark.parametrize("client", [*COMMAND_LINE, "plain"])
def test_what_a_client_sees_keeps_the_promise_of_its_ids(observed: Observed, client: str) -> None:
    ledger = Ledger(PositionCodec(key=ID_KEY.encode(), table="items", index="by_sentiment"))
    ledger.connected()
    for record in observed.of(client).records:
        if record["kind"] == "event":
            ledger.take(record["name"], record["id"], json.loads(record["data"]))
        elif record["kind"] == "error":
            ledger.disconnected()
            ledger.connected()

    assert ledger.problems == []
    assert ledger.suspect_repeats == 0
    assert ledger.endings["rotate"] >= 2
    assert ledger.endings["cut"] >= 1


@pytest.mark.timeout(150)
@pytest.mark.parametrize("client", [*COMMAND_LINE, *PAGE])
def test_no_phantom_message_appears(observed: Observed, client: str) -> None:
    """A heartbeat with a blank line after it would be one in some clients, and so would a block
    of an id or a retry alone."""
    records = observed.of(client).records

    assert [record for record in records if record["kind"] == "message"] == []
    assert all(record["data"] for record in records if record["kind"] == "event")


@pytest.mark.timeout(150)
@pytest.mark.parametrize("client", ["npm eventsource", "node built-in", "plain", "busy"])
def test_an_event_source_never_gives_up(observed: Observed, client: str) -> None:
    states = {
        record["state"] for record in observed.of(client).records if record["kind"] == "error"
    }

    assert states == {0}, "readyState 2 is for good"


@pytest.mark.timeout(150)
def test_a_busy_refusal_makes_a_browser_come_back_by_itself(observed: Observed) -> None:
    said = observed.of("busy")
    names = [record["name"] for record in said.records if record["kind"] == "event"]

    assert names[:2] == ["busy", "ready"]
    assert said.events("busy")[0]["reason"] == "unavailable"
    assert observed.published[-1] in _items(said)


@pytest.mark.timeout(150)
def test_the_wrapper_of_the_readme_survives_what_ends_an_event_source(observed: Observed) -> None:
    """After its cut it was answered 429, then 502; and its `close` reaches the close route."""
    said = observed.of("wrapper")

    assert _has_rotated_twice(said)
    assert observed.was_closed
