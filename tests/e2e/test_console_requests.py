"""The console's requests as a person uses them, in Chromium, on the real stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.background import BackgroundStack
from local_aws.settings import Settings
from tests.fakes.chromium import Page
from tests.fakes.console_page import LAST_EVENT, answer_state, console_in, send_request
from tests.fakes.local import get, request, wait_until


@pytest.fixture
def page(tab: Page, stack: BackgroundStack) -> Iterator[Page]:
    with console_in(tab, stack):
        yield tab


def test_a_cancelled_answer_says_that_the_function_goes_on(
    page: Page, stack: BackgroundStack
) -> None:
    send_request(page, "/stream")
    page.wait_for("document.querySelector('#answer .piece[data-kind=event]')")
    page.click("#cancel")
    wait_until(lambda: answer_state(page) == "cancelled", "the page says so")
    assert "the function is not told" in page.text("#answer .answer-facts")
    assert not page.run("document.querySelector('#cancel').checkVisibility()")
    trace_id = json.loads(page.text("#answer .piece[data-kind=event] pre"))["trace_id"]
    (invocation,) = (one for one in stack.invocations if one.trace.root == trace_id)
    assert not invocation.finished_at


def test_a_request_from_elsewhere_is_listed_and_known_by_what_the_list_has(
    page: Page, stack: BackgroundStack
) -> None:
    page.click("#request-tab")
    get(f"{stack.door_url('http_api')}/health?key=secret")
    page.wait_for(
        "document.querySelector('#request-list button')?.textContent.includes('HTTP API')"
    )
    page.click("#request-list button")
    assert "It was not sent from this page" in page.text("#answer")
    assert "secret" not in page.run("document.body.textContent")
    page.click("#request-list a")
    page.wait_for("document.querySelector('#trace .row')")


def test_a_path_without_a_slash_is_refused_beside_the_form(page: Page) -> None:
    send_request(page, "stream")
    page.wait_for("document.querySelector('#request-problem').checkVisibility()")
    assert page.text("#request-problem") == "a path begins with /, not 'stream'"
    send_request(page, "/health")
    wait_until(lambda: answer_state(page) == "whole", "the whole answer is there")
    assert not page.run("document.querySelector('#request-problem').checkVisibility()")


def test_the_tabs_are_chosen_by_the_arrow_keys(page: Page) -> None:
    page.run("document.querySelector('#stream-tab').focus()")
    for key, chosen in (("ArrowRight", "request"), ("ArrowRight", "stream"), ("End", "request")):
        page.run(
            "document.activeElement.dispatchEvent("
            f"new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true }}))"
        )
        assert page.run("document.activeElement.id") == f"{chosen}-tab"
        assert page.run(f"document.querySelector('#{chosen}-panel').checkVisibility()")


UNTRACED = """
from lambda_streaming import EventStream, streaming

async def count():
    for number in range(3):
        yield {"number": number}

handler = streaming(lambda request: EventStream(count()), tracing="off")
"""


def test_an_app_without_tracing_has_its_requests_and_says_that_it_has_no_spans(
    tab: Page, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text(UNTRACED, encoding="utf-8")
    environ = {"PORT": "0", "APP": "main:handler", "APP_DIR": str(tmp_path)}
    with BackgroundStack(Settings.from_environ(environ)) as app:
        tab.open(app.console_url)
        tab.wait_for("document.querySelector('#send')?.disabled === false")
        assert not tab.run("document.querySelector('#stream-tab').checkVisibility()")
        tab.click("#send")
        wait_until(lambda: answer_state(tab) == "whole", "the whole answer is there")
        assert tab.run(f"{LAST_EVENT}.closest('li').querySelector('pre').textContent") == (
            '{"number":2}'
        )
        tab.run(f"{LAST_EVENT}.click()")
        tab.wait_for("document.querySelector('.moment-note')?.textContent.includes('no spans')")
        assert "it runs without tracing" in tab.text(".moment-note")
        assert " function" in tab.text(".row[aria-selected=true]")
        tab.open("about:blank")


def test_times_are_read_at_a_glance(page: Page) -> None:
    asked = "[0, 0.123, 9.96, 42.4, 99.4, 99.7, 123.4, 999.4, 999.7, 61_234.5]"
    found = page.run(
        f"import('/static/format.js').then(({{ milliseconds }}) => {asked}.map(milliseconds))"
    )
    assert [*map(str, found[:5])] == ["0.0 ms", "0.12 ms", "10 ms", "42 ms", "99 ms"]
    assert found[5:] == ["100 ms", "123 ms", "999 ms", "1.000 s", "61.234 s"]


def test_an_open_answer_can_be_cancelled_however_many_follow(
    page: Page, stack: BackgroundStack
) -> None:
    send_request(page, "/stream")
    page.wait_for("document.querySelector('#answer .piece[data-kind=event]')")
    ready = json.loads(page.text("#answer .piece[data-kind=event] pre"))
    for number in range(21):
        send_request(page, f"/health?{number}")
        page.wait_for(f"document.querySelector('#answer h3').textContent.endsWith('?{number}')")
        wait_until(lambda: answer_state(page) == "whole", "the whole answer is there")
    page.click("#request-list [title='GET /stream']")
    page.click("#cancel")
    wait_until(lambda: answer_state(page) == "cancelled", "the page says so")
    assert request("POST", f"{stack.url}/stream/{ready['connection_id']}/close").is_success


# What the console's JSON says of a span, as far as it counts here.
SPAN = """
    const span = (id, name, start, end, more = {}, source = "otel") => (
      { id, name, start, end, source, annotations: {}, metadata: { default: more } });
"""
STEPS = "span('root', 'response_stream', 0, 10), span('step', 'model_call', 1, 2)"
BURST = (
    "span('root', 'sse_stream', 0, 10), span('a', 'sse_event_dispatch', 1, 1.001,"
    " { event_type: 'ready' }),"
    "span('b', 'sse_event_dispatch', 1.002, 1.003, { event_type: 'item' }),"
    "span('c', 'sse_event_dispatch', 1.004, 1.005, { event_type: 'item' })"
)
POLLED = (
    "span('poll', 'dynamodb_poll', 1, 1.01),"
    "span('a', 'sse_event_dispatch', 1.1, 1.101, { event_type: 'ready' })"
)
ROLLED_UP = (
    "span('all', 'sse_event_dispatch', 1, 9, { count: 40 }),"
    "span('own', 'sse_event_dispatch', 5, 5.001, { event_type: 'item' })"
)
SEGMENTS = "span('function', 'shop', 0, 3, {}, 'xray'), span('service', 'shop', 0, 9, {}, 'xray')"
MOMENTS = [
    (STEPS, "at: 1.5", "step"),
    (STEPS, "at: 2.1", "root"),
    (STEPS, "at: 10.1", "root"),
    (STEPS, "at: 10.5", None),
    ("span('root', 'sse_stream', 0, null)", "at: 99", "root"),
    (BURST, "at: 1.01", "c"),
    (BURST, "at: 1.01, ordinal: 0, event: 'ready'", "a"),
    (BURST, "at: 1.01, ordinal: 1, event: 'item'", "b"),
    (BURST, "at: 1.01, ordinal: 5, event: 'item'", "c"),
    (BURST, "at: 1.01, ordinal: 1, event: 'end'", "root"),
    (POLLED, "at: 1.2, ordinal: 1, event: 'item'", "poll"),
    (BURST, "at: 9, ordinal: 1, event: 'item'", "root"),
    (ROLLED_UP, "at: 5.004", "own"),
    (ROLLED_UP, "at: 5.1", "all"),
    (ROLLED_UP, "at: 8, ordinal: 0, event: 'item'", "all"),
    (SEGMENTS, "at: 2", "function"),
    (f"{SEGMENTS}, {STEPS}", "at: 2.5", "root"),
]


def test_a_moment_belongs_to_the_span_that_tells_most_of_it(page: Page) -> None:
    asked = ", ".join(
        f"spanAt({{ records: [{spans}] }}, {{ {moment} }})?.id ?? null"
        for spans, moment, _ in MOMENTS
    )
    found = page.run(
        f"import('/static/moment.js').then(({{ spanAt }}) => {{ {SPAN} return [{asked}]; }})"
    )
    assert found == [expected for _, _, expected in MOMENTS]
