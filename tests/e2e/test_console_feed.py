"""The console's page for a feed that an app declares, in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local_aws.background import BackgroundStack
from local_aws.settings import REPOSITORY_ROOT
from tests.fakes.chromium import Page
from tests.fakes.console_page import console_in
from tests.fakes.local import feed_settings

LIVE = "document.querySelector('#state').dataset.state === 'live'"
CONNECT = "document.querySelector('#connect')"


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    settings = feed_settings(
        "examples.own_feed.app:handler",
        task_root=REPOSITORY_ROOT,
        SSE_POLL_SECONDS="0.2",
        SSE_POLL_MAX_SECONDS="0.2",
    )
    with BackgroundStack(settings) as running:
        yield running


@pytest.fixture
def page(tab: Page, stack: BackgroundStack) -> Iterator[Page]:
    with console_in(tab, stack):
        yield tab


def fill(page: Page, label: str, text: str) -> None:
    """By its label, as a person finds it."""
    page.run(
        "(() => {"
        "  const labels = [...document.querySelectorAll('label.field')];"
        f"  const label = labels.find((one) => one.textContent.startsWith({json.dumps(label)}));"
        "  const input = label.querySelector('input, select');"
        f"  input.value = {json.dumps(text)};"
        "  for (const kind of ['input', 'change'])"
        "    input.dispatchEvent(new Event(kind, { bubbles: true }));"
        "})()"
    )


def shown(page: Page) -> list[str]:
    items = "document.querySelectorAll('#events .item .headline')"
    return list(page.run(f"[...{items}].map((one) => one.textContent)"))


def test_a_callers_stream_is_opened_and_an_item_published_by_the_page(
    page: Page, stack: BackgroundStack
) -> None:
    fill(page, "IAM user who asks", "page-a")
    page.click("#connect")
    page.wait_for(LIVE)
    stack.publish(job_id="not-theirs", tenant="page-b", state="done")
    page.run("document.querySelector('details.publish').open = true")
    fill(page, "job_id", "theirs")
    fill(page, "tenant", "page-a")
    fill(page, "state", "failed")
    page.click("#publish button")

    page.wait_for("document.querySelector('#events .item')")
    assert shown(page) == ["theirs"]
    assert page.text("#events .item .meta") == "tenant page-a · state failed"
    assert page.text("#published") == "published theirs"
    assert page.text("h1") == "examples.own_feed.app.handler"


def test_the_states_that_are_chosen_arrive_alone(page: Page, stack: BackgroundStack) -> None:
    fill(page, "IAM user who asks", "page-c")
    for state in ("queued", "running", "failed"):
        page.run(f"document.querySelector('#filter input[value={state}]').click()")
    page.click("#connect")
    page.wait_for(LIVE)
    for state in ("running", "done"):
        stack.publish(job_id=f"job-{state}", tenant="page-c", state=state)

    page.wait_for("document.querySelector('#events .item')")
    assert shown(page) == ["job-done"]


@pytest.mark.parametrize("user", ["", "not a name/"])
def test_without_a_user_there_is_no_stream_and_the_page_says_so(page: Page, user: str) -> None:
    assert not page.run(f"{CONNECT}.disabled"), "an example stands there"

    fill(page, "IAM user who asks", user)

    assert page.run(f"{CONNECT}.disabled")
    assert "the user who asks" in page.text("#nothing-chosen")
    assert page.run("document.querySelector('#nothing-chosen').checkVisibility()")
