"""The chat's page as a person uses it, in Chromium, on a desktop and on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.chat.app import FakeModel
from local_aws.background import BackgroundStack
from tests.absence import missing
from tests.examples.ways import STAGE, served, wait_until_free
from tests.fakes.chromium import Page
from tests.fakes.client_programs import CannotRun, axe_core

SIZES = [(1280, 800), (390, 844)]
STATUS = "document.querySelector('#status').textContent"
ANSWER = "document.querySelector('#answer').textContent"


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with served("examples.chat.app:handler") as running:
        yield running


@pytest.fixture(params=SIZES, ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, tab: Page, stack: BackgroundStack) -> Iterator[Page]:
    tab.resize(*request.param)
    show(tab, stack, f"{stack.url}/")
    yield tab
    tab.open("about:blank")


def show(tab: Page, stack: BackgroundStack, address: str) -> None:
    """The only environment would refuse the page while it still answers somebody."""
    tab.open("about:blank")
    wait_until_free(stack)
    tab.open(address)
    tab.wait_for("document.querySelector('#send')")
    wait_until_free(stack)


def test_words_appear_as_they_are_made_and_the_end_is_told(page: Page) -> None:
    page.click("#send")
    page.wait_for(f"{ANSWER}.startsWith('You asked')")

    assert page.run(STATUS) == "Answering …"
    assert "in my place." not in page.run(ANSWER)
    page.wait_for(f"{STATUS}.startsWith('Complete')")
    assert page.run(ANSWER).endswith("Put your own model in my place.")
    assert page.run("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"


def test_after_its_end_the_page_asks_for_nothing_more(tab: Page, stack: BackgroundStack) -> None:
    """An EventSource that is not closed comes back after a second, the stream's `retry`."""
    show(tab, stack, f"{stack.url}/")
    tab.click("#send")
    tab.wait_for(f"{STATUS}.startsWith('Complete')")
    asked = len(stack.invocations)

    tab.run("new Promise((resolve) => setTimeout(resolve, 2000))")

    assert len(stack.invocations) == asked
    tab.open("about:blank")


def test_stop_ends_the_answer_and_another_can_be_asked_for(
    page: Page, stack: BackgroundStack
) -> None:
    page.click("#send")
    page.wait_for(f"{ANSWER}.includes('You asked')")
    page.click("#stop")

    assert page.run(STATUS) == "Stopped"
    stopped_at = page.run(ANSWER)
    wait_until_free(stack)
    assert page.run(ANSWER) == stopped_at
    page.click("#send")
    page.wait_for(f"{ANSWER} === 'You asked:'")


async def test_a_cut_is_mended_with_no_word_missing_or_twice(
    page: Page, stack: BackgroundStack
) -> None:
    page.click("#send")
    page.wait_for(f"{ANSWER}.includes('You asked')")
    stack.call(stack.stack.lambda_service.fleet.replace())  # the environment ends

    page.wait_for(f"{STATUS}.startsWith('Complete')")
    prompt = page.run("document.querySelector('#prompt').value")
    assert page.run(ANSWER) == "".join(await FakeModel(at_once).ask(prompt))


async def at_once(seconds: float) -> None: ...


def test_below_a_stage_it_finds_its_answers(tab: Page, stack: BackgroundStack) -> None:
    show(tab, stack, f"{stack.door_url('rest_api')}{STAGE}")
    tab.click("#send")
    tab.wait_for(f"{STATUS}.startsWith('Complete')")
    tab.open("about:blank")


def test_a_refusal_is_told_and_ends_the_wait(page: Page) -> None:
    page.run("document.querySelector('#prompt').removeAttribute('maxlength')")
    page.run("document.querySelector('#prompt').value = 'x'.repeat(501)")
    page.click("#send")

    page.wait_for(f"{STATUS}.startsWith('The server did not answer')")
    assert page.run("document.querySelector('#stop').disabled") is True


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_meets_wcag(page: Page, stack: BackgroundStack, colours: str) -> None:
    try:
        axe = axe_core()
    except CannotRun as why:
        missing(str(why))
    page.prefer(colours)
    page.run(f"{axe}; 0")
    violations = page.run(
        "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations"
        ".map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`))"
    )

    assert violations == []
