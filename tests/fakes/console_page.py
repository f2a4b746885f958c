"""The console's page, and its form for requests, as a person uses them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from local_aws.background import BackgroundStack
from tests.fakes.chromium import Page

DESKTOP = (1280, 800)
LAST_EVENT = "[...document.querySelectorAll('.piece[data-kind=event] button')].at(-1)"


@contextmanager
def console_in(tab: Page, stack: BackgroundStack) -> Iterator[None]:
    """The page anew, on a desktop."""
    tab.resize(*DESKTOP)
    tab.open(stack.console_url)
    tab.wait_for("document.querySelector('[data-fault]')")
    yield
    tab.open("about:blank")


def send_request(page: Page, path: str, **fields: str) -> None:
    """By the form, through the Function URL unless `door` says otherwise."""
    page.click("#request-tab")
    for name, value in {"path": path, **fields}.items():
        page.run(f"document.querySelector('#request').elements.{name}.value = {json.dumps(value)}")
    page.click("#send")


def answer_state(page: Page) -> str:
    return str(page.run("document.querySelector('#answer [role=status]')?.dataset.state ?? ''"))
