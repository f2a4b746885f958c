"""The console's form for requests, as a person uses it."""

from __future__ import annotations

import json

from tests.fakes.chromium import Page

LAST_EVENT = "[...document.querySelectorAll('.piece[data-kind=event] button')].at(-1)"


def send_request(page: Page, path: str, **fields: str) -> None:
    """By the form, through the Function URL unless `door` says otherwise."""
    page.click("#request-tab")
    for name, value in {"path": path, **fields}.items():
        page.run(f"document.querySelector('#request').elements.{name}.value = {json.dumps(value)}")
    page.click("#send")


def answer_state(page: Page) -> str:
    return str(page.run("document.querySelector('#answer [role=status]')?.dataset.state ?? ''"))
