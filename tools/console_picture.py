"""Makes docs/images/console.png: the console with a live stream and a finished trace open.

PYTHONPATH=src .venv/bin/python -m tools.console_picture

Starts a stack of its own on free ports and drives Chromium, which has to be installed, over its
debugging pipe (https://chromedevtools.github.io/devtools-protocol/). Takes about half a minute. Of
the page it uses four ids: #state, #connect, #events and #trace.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from local_aws.background import BackgroundStack
from local_aws.settings import REPOSITORY_ROOT, Settings

PICTURE = REPOSITORY_ROOT / "docs" / "images" / "console.png"
WIDTH, HEIGHT = 1280, 800
MAX_BYTES = 200_000

# Two streams: the first rotates, so that its trace is whole; the second is seen running.
_STACK = {"PORT": "0", "SSE_MAX_STREAM_SECONDS": "15", "SSE_POLL_MAX_SECONDS": "2"}
_WAIT_SECONDS = 60.0
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Scripts for the page: what to do, and what to look at.
_IS_LIVE = "document.querySelector('#state').dataset.state === 'live'"
_CAN_CONNECT = "!document.querySelector('#connect').disabled"
_CONNECT = "document.querySelector('#connect').click()"
_SHOWN_EVENTS = "document.querySelectorAll('#events > li').length"
_IS_DRAWN = "document.querySelector('#trace').textContent.includes('sse_stream')"


class PictureError(Exception):
    """There is no picture; the message says why."""


class Page:
    """One page of a browser, told what to do by lines of JSON that end in NUL."""

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        self._commands = commands
        self._answers = answers
        self._count = 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTH,
            height=HEIGHT,
            deviceScaleFactor=1,
            mobile=False,
        )

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of one command. Raises PictureError."""
        self._count += 1
        command = {"id": self._count, "method": method, "params": parameters}
        if self._session is not None:
            command["sessionId"] = self._session
        self._commands.write(json.dumps(command).encode() + b"\0")
        self._commands.flush()
        while (answer := self._next_answer()).get("id") != self._count:
            pass  # an event of the browser's
        if "error" in answer:
            raise PictureError(f"Chromium refused {method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def evaluate(self, expression: str) -> Any:
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise PictureError(f"the page cannot evaluate {expression}")
        return result["result"].get("value")

    def _next_answer(self) -> dict[str, Any]:
        line = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            if not byte:
                raise PictureError("Chromium has ended")
            line += byte
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def open_page() -> Iterator[Page]:
    """A page in a headless Chromium of its own. Raises PictureError where there is none."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise PictureError(f"none of {', '.join(_BROWSERS)} is installed")
    read_commands, write_commands = os.pipe()
    read_answers, write_answers = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars"
            " --disable-background-networking --no-first-run --no-proxy-server"
            f" --remote-debugging-pipe --user-data-dir={profile}"
        )
        # The pipe's ends have to be descriptors 3 and 4 in the browser.
        redirected = f"exec {found} {flags} 3<&{read_commands} 4>&{write_answers}"
        process = subprocess.Popen(
            ["bash", "-c", redirected],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read_commands)
        os.close(write_answers)
        try:
            with open(write_commands, "wb") as commands, open(read_answers, "rb") as answers:
                yield Page(commands, answers)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def take_picture(page: Page, stack: BackgroundStack) -> bytes:
    """The page's pixels once it shows both a running stream and the trace of one that ended."""
    page.call("Page.navigate", url=stack.console_url)
    _wait_until(lambda: page.evaluate("document.readyState") == "complete", "the page is loaded")
    _wait_until(lambda: page.evaluate(_CAN_CONNECT), "the page knows the Function URL")
    page.evaluate(_CONNECT)
    trace_id = _wait_until(lambda: _rotated(stack), "a stream has rotated")
    page.evaluate(f"location.hash = 'trace={trace_id}'")
    _wait_until(lambda: page.evaluate(_IS_DRAWN), "the trace is drawn")
    _wait_until(
        lambda: page.evaluate(_IS_LIVE) and page.evaluate(_SHOWN_EVENTS) >= 12,
        "the next stream brings items",
    )
    return base64.b64decode(page.call("Page.captureScreenshot", format="png")["data"])


def _rotated(stack: BackgroundStack) -> str | None:
    found = stack.traces.traces(annotation=("end_reason", "rotate"), limit=1)
    return str(found[0]["trace_id"]) if found else None


def _wait_until(look: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + _WAIT_SECONDS
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise PictureError(f"not within {_WAIT_SECONDS:g} s: {what}")
        time.sleep(0.2)
    return seen


def main() -> int:
    try:
        with BackgroundStack(Settings.from_environ(_STACK)) as stack, open_page() as page:
            picture = take_picture(page, stack)
        if len(picture) > MAX_BYTES:
            raise PictureError(f"the picture has {len(picture)} bytes, more than {MAX_BYTES}")
    except PictureError as error:
        sys.stderr.write(f"console_picture: {error}\n")
        return 1
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_bytes(picture)
    sys.stdout.write(f"{PICTURE}: {len(picture)} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
