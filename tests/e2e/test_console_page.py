"""The console's page as a person uses it, in Chromium, on the real stack."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator

import pytest

from local_aws.background import BackgroundStack
from local_aws.lambda_side.environment import Environment
from local_aws.lambda_side.invocation import Invocation
from local_aws.settings import Settings
from local_aws.traces.receivers.otlp_behaviour import HEALTHY, REFUSED
from tests.absence import missing
from tests.fakes.chromium import Page
from tests.fakes.client_programs import CannotRun, axe_core
from tests.fakes.console_page import DESKTOP, LAST_EVENT, answer_state, console_in, send_request
from tests.fakes.havoc import send
from tests.fakes.local import get, request, wait_until

PHONE = (390, 844)
HEARTBEAT_SECONDS = 2
LATE_SECONDS = 4  # what the page marks as slow, and the overlap still finds
ROWS = "[...document.querySelectorAll('.row[data-key]')]"


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What the stack has printed for the developer."""
    return []


@pytest.fixture(scope="module")
def stack(said: list[str]) -> Iterator[BackgroundStack]:
    settings = Settings.from_environ(
        {
            "PORT": "0",
            "LOCAL_ITEMS_PER_SECOND": "0",
            "SSE_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
            "SSE_POLL_SECONDS": "0.2",
            "SSE_POLL_MAX_SECONDS": "0.2",
            "SSE_LEASE_SECONDS": "3",
            "SSE_RETRY_MS": "300",
        }
    )
    with BackgroundStack(settings, say=said.append) as running:
        yield running


@pytest.fixture
def page(tab: Page, stack: BackgroundStack) -> Iterator[Page]:
    """The page anew, on a desktop, with nothing wrong and no traces."""
    stack.back_to_normal()
    stack.traces.clear()
    with console_in(tab, stack):
        yield tab
    stack.back_to_normal()


def connect(page: Page) -> str:
    """Opens the stream; gives the id of its trace."""
    page.click("#connect")
    return live_trace(page)


def live_trace(page: Page) -> str:
    """The id of the trace of the stream that is open, once it is."""
    page.wait_for("document.querySelector('#state').dataset.state === 'live'")
    return str(page.run("document.querySelector('#trace-link').title"))


def show(page: Page, trace_id: str) -> None:
    page.run(f"location.hash = 'trace={trace_id}'")
    page.wait_for(f"document.querySelector('#trace .id')?.textContent === '{trace_id}'")
    # With the list above it, which pushes it down.
    page.wait_for("document.querySelector('#trace-list [aria-current=true]')")


def test_a_click_that_comes_before_the_page_is_ready_reloads_nothing(
    tab: Page, stack: BackgroundStack
) -> None:
    """Before the Function URL is known nobody listens to the form: it would submit itself."""
    hold = """
        const ask = window.fetch, held = new Promise((resolve) => { window.release = resolve; });
        window.fetch = async (...asked) => { await held; return ask(...asked); };
    """
    with tab.running_first(hold):
        tab.open(stack.console_url)
        tab.wait_for("document.readyState === 'complete'")
        tab.run("document.querySelector('#connect').click()")
        tab.run("window.release()")
        tab.wait_for("document.querySelector('[data-fault]')")
    assert tab.run("location.search") == ""
    connect(tab)
    tab.open("about:blank")


def trace_of(stack: BackgroundStack, path: str) -> str:
    """The id of the trace of a request that is over."""
    request_id = get(f"{stack.url}{path}").headers["x-amzn-requestid"]
    (invocation,) = (one for one in stack.invocations if one.request_id == request_id)
    wait_until(lambda: invocation.finished_at, "the invocation has finished")
    return invocation.trace.root


def invocation_of(stack: BackgroundStack, trace_id: str) -> Invocation:
    (found,) = (one for one in stack.invocations if one.trace.root == trace_id)
    return found


def environment_of(stack: BackgroundStack, trace_id: str) -> Environment:
    number = invocation_of(stack, trace_id).environment
    (found,) = (one for one in stack.environments if one.number == number)
    return found


def ended(stack: BackgroundStack, trace_id: str) -> bool:
    return invocation_of(stack, trace_id).finished_at > 0


# --- the trace on a phone ---


def trace_is_on_top(page: Page) -> bool:
    return 0 <= page.top("#trace") <= 100


def test_a_phone_is_led_to_the_trace(page: Page, stack: BackgroundStack) -> None:
    page.resize(*PHONE)
    trace_id = connect(page)
    page.click("#trace-link")
    page.wait_for("document.querySelector('#trace .row')")
    wait_until(lambda: trace_is_on_top(page), "the link leads to the trace")

    page.run("scrollTo(0, 0)")
    assert not trace_is_on_top(page)
    page.click("#trace-link")
    wait_until(lambda: trace_is_on_top(page), "the same link leads there again")

    page.open(f"{stack.console_url}/#trace={trace_id}")
    page.wait_for("document.querySelector('#trace .row')")
    page.wait_for("document.querySelector('#trace-list [aria-current=true]')")
    wait_until(lambda: trace_is_on_top(page), "an address with a trace leads to it")


def test_a_desktop_keeps_the_list_in_sight(page: Page, stack: BackgroundStack) -> None:
    show(page, trace_of(stack, "/health"))

    assert page.top("#trace-list") > 0


# --- the filter ---


def choose(page: Page, *sentiments: str) -> None:
    """Checks these and no others, one after the other."""
    for one in ("positive", "neutral", "negative"):
        box = f"input[value={one}]"
        if page.run(f"document.querySelector('{box}').checked") != (one in sentiments):
            page.click(box)


def test_no_sentiment_is_no_stream(page: Page) -> None:
    choose(page)

    assert page.run("document.querySelector('#connect').disabled")
    assert page.run("document.querySelector('#nothing-chosen').checkVisibility()")

    choose(page, "negative")
    assert not page.run("document.querySelector('#connect').disabled")
    assert not page.run("document.querySelector('#nothing-chosen').checkVisibility()")


def test_an_open_stream_ends_with_its_last_sentiment_and_comes_back_with_another(
    page: Page, stack: BackgroundStack
) -> None:
    trace_id = connect(page)
    choose(page)
    wait_until(lambda: ended(stack, trace_id), "the stream ends on the server")
    assert page.text("#state-text") == "not connected"

    choose(page, "negative")
    event = json.loads(invocation_of(stack, live_trace(page)).event)
    assert "sentiment=negative" in event["rawQueryString"]


# --- the last byte ---


def seconds_ago(page: Page, selector: str) -> int:
    """The number in `… 3 s ago`; -1 where there is none."""
    words = page.text(selector).split()
    return int(words[-3]) if words[-2:] == ["s", "ago"] else -1


def test_a_throttled_stream_shows_its_heartbeats_and_how_old_its_last_item_is(
    page: Page, stack: BackgroundStack
) -> None:
    connect(page)
    stack.publish(headline="The last before the throttling")
    page.wait_for("document.querySelector('#events .item')")
    page.run("document.querySelector('#faults').open = true")
    page.click("[data-fault=throttle]")
    page.wait_for("document.querySelector('#events [data-kind=heartbeat]')")
    stack.publish(headline="Nobody reads this")

    wait_until(
        lambda: (
            seconds_ago(page, "#last-item") > 2 * HEARTBEAT_SECONDS
            and 0 <= seconds_ago(page, "#last-byte") <= 2 * HEARTBEAT_SECONDS
        ),
        "the last byte is young and the last item old",
    )
    assert page.text("#state-text") == "live"
    assert page.text("#faults-on") == "1 on"


def test_a_stream_that_sends_not_even_heartbeats_is_not_shown_as_live(
    page: Page, stack: BackgroundStack
) -> None:
    environment = environment_of(stack, connect(page))
    send(environment, signal.SIGSTOP)
    try:
        page.wait_for("document.querySelector('#state').dataset.state === 'silent'")
    finally:
        send(environment, signal.SIGCONT)
    page.wait_for("document.querySelector('#state').dataset.state === 'live'")


# --- the switches ---


def is_on(page: Page, fault: str) -> bool:
    return bool(
        page.run(f"document.querySelector('[data-fault={fault}]').ariaChecked === 'true'"),
    )


def test_a_switch_turns_its_fault_on_and_off_again(page: Page, stack: BackgroundStack) -> None:
    page.run("document.querySelector('#faults').open = true")
    page.click("[data-fault=collector_down]")
    wait_until(lambda: is_on(page, "collector_down"), "the switch says that it is on")
    assert stack.stack.collector.behaviour == REFUSED
    assert "The collector's port is closed" in page.text("#fault-effects")

    page.click("[data-fault=collector_down]")
    wait_until(lambda: not is_on(page, "collector_down"), "the switch says that it is off")
    assert stack.stack.collector.behaviour == HEALTHY
    assert page.text("#fault-effects") == ""


def test_a_fault_that_was_made_elsewhere_is_shown(page: Page, stack: BackgroundStack) -> None:
    stack.collector_behaves(REFUSED)
    wait_until(lambda: is_on(page, "collector_down"), "the switch says that it is on")


def test_a_killed_environment_is_replaced_and_the_stream_goes_on(
    page: Page, stack: BackgroundStack
) -> None:
    killed = environment_of(stack, connect(page)).pid
    page.run("document.querySelector('#faults').open = true")
    page.wait_for("!document.querySelector('#kill').disabled")
    page.click("#kill")
    page.wait_for("document.querySelector('#events [data-kind=lost]')")
    page.wait_for("document.querySelector('#events').textContent.includes('resumed where')")

    assert killed not in [environment.pid for environment in stack.environments]


# --- a phase that is missing ---


def test_a_stream_whose_spans_never_came_is_no_whole_trace(
    page: Page, stack: BackgroundStack, said: list[str]
) -> None:
    stack.collector_behaves(REFUSED)
    trace_id = connect(page)
    show(page, trace_id)
    assert "none of the streaming phase's spans has come yet" in page.text(".verdicts summary")

    page.click("#close")
    wait_until(lambda: ended(stack, trace_id), "the stream ends")
    page.wait_for(
        "document.querySelector('.verdicts summary').textContent"
        ".startsWith('the streaming phase is missing: none of its spans came')"
    )
    (notice,) = (line for line in said if trace_id in line)
    assert "does not take the function's spans" in notice
    assert "the collector did not take the spans" in notice, "the function's own words"


# --- the list and the waterfall ---


def test_a_refused_request_has_its_status_and_a_mark(page: Page, stack: BackgroundStack) -> None:
    trace_id = trace_of(stack, "/nowhere")
    show(page, trace_id)

    assert page.text(f"[data-trace='{trace_id}'] .flag.error") == "! 404"
    assert page.text("#trace .facts .flag.error") == "! 404"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_row_stays_where_it_is_when_it_is_chosen(
    page: Page, stack: BackgroundStack, size: tuple[int, int]
) -> None:
    page.resize(*size)
    show(page, trace_of(stack, "/stream/status"))
    keys = page.run(f"{ROWS}.map((row) => row.dataset.key)")
    assert len(keys) == 4
    for number in (1, 2, 0):
        # In one go: a new line of the list above may move everything at any other time.
        before, after = page.run(
            "(() => {"
            f"  const row = () => document.querySelector('.row[data-key=\"{keys[number]}\"]');"
            "  const top = () => row().getBoundingClientRect().top;"
            "  row().scrollIntoView({ block: 'center' });"
            "  const before = top();"
            "  row().click();"
            "  return [before, top()];"
            "})()"
        )
        assert after == pytest.approx(before, abs=1)
    assert page.run("document.querySelectorAll('.detail').length") == 3


def test_the_axis_of_an_open_trace_moves_on(page: Page) -> None:
    show(page, connect(page))
    page.wait_for("document.querySelectorAll('.ticks span').length > 1")
    last = "[...document.querySelectorAll('.ticks span')].at(-1).textContent"

    page.wait_for(f"{last}.endsWith(' s') && parseFloat({last}) >= 3")
    assert page.text("#trace .facts").count("so far") == 1


# --- a request of the form, and its trace ---


def test_an_answer_is_shown_while_it_arrives_and_an_event_leads_to_its_span_and_back(
    page: Page, stack: BackgroundStack
) -> None:
    send_request(page, "/stream")
    page.wait_for("document.querySelector('#answer .piece[data-kind=event]')")
    assert answer_state(page) == "receiving"
    stack.publish(headline="Sent from the form")
    page.wait_for("document.querySelector('#answer').textContent.includes('Sent from the form')")

    page.run(f"{LAST_EVENT}.click()")
    page.wait_for("document.querySelector('.moment-note')?.textContent.includes('not here yet')")
    assert page.run("document.querySelectorAll('.overlay .moment').length") == 1

    ready = json.loads(page.text("#answer .piece[data-kind=event] pre"))
    assert request("POST", f"{stack.url}/stream/{ready['connection_id']}/close").is_success
    wait_until(lambda: answer_state(page) == "whole", "the answer ends with its stream")
    page.wait_for("document.querySelector('.moment-note').textContent.endsWith('event_dispatch')")
    assert "sse_event_dispatch" in page.text(".row[aria-selected=true]")

    page.click("#stream-tab")
    page.click("#trace [data-request-link]")
    assert page.run("document.querySelector('#answer').checkVisibility()")
    assert "Sent from the form" in page.text("#answer")


# --- for everybody ---


@pytest.mark.timeout(120)
@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_on_the_page_keeps_anybody_out(
    page: Page, stack: BackgroundStack, size: tuple[int, int], colour_scheme: str
) -> None:
    """By axe-core's rules, with everything that can be opened open."""
    try:
        axe = axe_core()
    except CannotRun as why:
        missing(str(why))
    page.resize(*size)
    page.prefer(colour_scheme)
    trace_of(stack, "/nowhere")
    stack.index_lags(0.1)
    trace_id = connect(page)
    stack.publish(published_at=int((time.time() - LATE_SECONDS) * 1000))
    page.wait_for("document.querySelector('#events [data-slow]')")
    wait_until(lambda: is_on(page, "index_lag"), "the switch says that it is on")
    show(page, trace_id)
    page.wait_for("document.querySelector('.bar-mark[data-phase=streaming]')")
    for key in page.run(f"{ROWS}.map((row) => row.dataset.key)"):
        page.click(f".row[data-key='{key}']")
    choose(page)
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.run(f"{axe}; 0")
    assert violations_on(page) == []

    send_request(page, "/stream?backfill=1")
    page.wait_for("document.querySelector('#answer .piece')")
    page.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert violations_on(page) == []


def violations_on(page: Page) -> object:
    return page.run(
        "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations"
        ".map(({ impact, id, nodes }) => `${impact}: ${id}: ${nodes.map((node) => node.html)}`))"
    )
