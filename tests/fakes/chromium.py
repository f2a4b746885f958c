"""Headless Chromium with one page that a test looks at and clicks on.

Driven by the DevTools protocol over two pipes (--remote-debugging-pipe): JSON messages, each ended
by a NUL. See https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fakes.local import wait_until
from tests.fakes.real_clients import chromium_argv

_ANSWER_SECONDS = 30.0
_READ_BYTES = 64 * 1024
# What --remote-debugging-pipe reads from and writes to.
_COMMANDS_FD, _ANSWERS_FD = 3, 4


class PageError(Exception):
    """The browser refused a command, or a script in the page failed."""


class Page:
    """One tab. Expressions are JavaScript; what they give has to be JSON."""

    def __init__(self, commands: int, answers: int) -> None:
        """Takes the test's ends of the two pipes."""
        self._commands = commands
        self._answers = answers
        self._numbers = itertools.count(1)
        self._rest = b""
        self._session: dict[str, str] = {}
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}

    def open(self, address: str) -> None:
        """Loads it anew, even where only the fragment differs."""
        for url in ("about:blank", address):
            self._send("Page.navigate", url=url)

    @contextmanager
    def running_first(self, script: str) -> Iterator[None]:
        """Pages opened meanwhile run the script before any of their own."""
        self._send("Page.enable")
        added = self._send("Page.addScriptToEvaluateOnNewDocument", source=script)
        try:
            yield
        finally:
            self._send("Page.removeScriptToEvaluateOnNewDocument", **added)

    def resize(self, width: int, height: int) -> None:
        is_phone = width < 600
        self._send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=is_phone,
        )

    def prefer(self, colour_scheme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": colour_scheme}
        self._send("Emulation.setEmulatedMedia", features=[feature])

    def run(self, expression: str) -> Any:
        """What the expression gives; of a promise, what it is resolved to. Raises PageError."""
        done = self._send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in done:
            raise PageError(json.dumps(done["exceptionDetails"])[:2000])
        return done["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Until it is true."""
        wait_until(lambda: self.run(f"Boolean({condition})"), condition)

    def text(self, selector: str) -> str:
        text = self.run(f"document.querySelector({json.dumps(selector)})?.textContent ?? ''")
        assert isinstance(text, str)
        return text

    def top(self, selector: str) -> float:
        """Where an element begins, in pixels from the top of what is seen."""
        top = self.run(
            f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().top"
        )
        return float(top)

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of the element."""
        x, y = self.run(
            "(() => {"
            f"  const found = document.querySelector({json.dumps(selector)});"
            "  found.scrollIntoViewIfNeeded();"
            "  const { x, y, width, height } = found.getBoundingClientRect();"
            "  return [x + width / 2, y + height / 2];"
            "})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **self._session}
        rest = memoryview(json.dumps(message).encode() + b"\0")
        while rest:  # a signal may cut the write of a long script short
            rest = rest[os.write(self._commands, rest) :]
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            answer = json.loads(self._next_message(deadline))
            if answer.get("id") == number:  # the others are events, and nobody asked for any
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _next_message(self, deadline: float) -> bytes:
        while b"\0" not in self._rest:
            remaining = max(0.0, deadline - time.monotonic())
            readable, _, _ = select.select([self._answers], [], [], remaining)
            data = os.read(self._answers, _READ_BYTES) if readable else b""
            if not data:
                raise PageError("the browser does not answer")
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return message


@contextmanager
def chromium() -> Iterator[Page]:
    """Raises CannotRun."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        argv = [*chromium_argv(profile), "--remote-debugging-pipe"]
        its_commands, commands = os.pipe()
        answers, its_answers = os.pipe()
        # Not subprocess: that passes files on under their own numbers only.
        pid = os.posix_spawn(
            argv[0],
            argv,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, its_commands, _COMMANDS_FD),
                (os.POSIX_SPAWN_DUP2, its_answers, _ANSWERS_FD),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setsid=True,
        )
        for descriptor in (its_commands, its_answers):
            os.close(descriptor)
        try:
            yield Page(commands, answers)
        finally:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(commands)
            os.close(answers)
