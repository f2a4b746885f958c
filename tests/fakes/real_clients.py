"""Runs real clients, in a browser and as programs, and collects what each was told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.fakes.client_programs import NPM, SOURCES, CannotRun, with_unnamed_events
from tests.fakes.http_stand_in import Call, HttpStandIn

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_LAST = frozenset({"end", "busy"})
_FIRST = frozenset({"ready", "busy"})


@dataclass(frozen=True, slots=True)
class Told:
    """One event as the client passed it on. `data` is empty if it is no JSON."""

    name: str
    id: str
    text: str
    data: Mapping[str, Any]


@dataclass(slots=True)
class Said:
    """What one client was told, in its own order."""

    _told: dict[int, Told] = field(default_factory=dict)

    def add(self, name: str, event_id: str, text: str, number: int | None = None) -> None:
        """A page's come over several connections, and are numbered."""
        try:
            data = json.loads(text)
        except ValueError:
            data = {}
        self._told[len(self._told) if number is None else number] = Told(name, event_id, text, data)

    @property
    def events(self) -> list[Told]:
        return [told for _, told in sorted(self._told.items())]

    def named(self, name: str) -> list[Mapping[str, Any]]:
        return [told.data for told in self.events if told.name == name]

    @property
    def items(self) -> list[str]:
        return [item["item_id"] for item in self.named("sentiment")]

    @property
    def is_receiving(self) -> bool:
        """In the middle of a stream."""
        events = self.events
        return bool(events) and events[-1].name == "sentiment"

    @property
    def connections(self) -> list[list[Told]]:
        """By connection: each begins with its `ready` or `busy`, or after the end of another."""
        split: list[list[Told]] = [self.events[:1]]
        for before, told in pairwise(self.events):
            if told.name in _FIRST or before.name in _LAST:
                split.append([])
            split[-1].append(told)
        return split

    @property
    def cuts(self) -> int:
        """Connections that ended without saying so, and were followed by another."""
        return len([events for events in self.connections[:-1] if events[-1].name not in _LAST])


@contextmanager
def running_program(argv: list[str], said: Said) -> Iterator[None]:
    """A program that prints one event a line: name, id and data, with tabs between."""
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    assert process.stdout is not None
    lines = process.stdout

    def read() -> None:
        for line in lines:
            name, event_id, text = line.rstrip("\n").split("\t")
            said.add(name, event_id, text)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield
    finally:
        _end_group(process)
        reader.join(5)
        lines.close()


def chromium_argv(profile: str) -> list[str]:
    """Raises CannotRun."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise CannotRun(f"none of {', '.join(_BROWSERS)} is installed (Debian: chromium)")
    return [
        found,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--no-proxy-server",
        f"--user-data-dir={profile}",
    ]


@contextmanager
def browser(address: str) -> Iterator[None]:
    """Headless Chromium on one page. Raises CannotRun."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [*chromium_argv(profile), "--remote-debugging-port=0", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield
        finally:
            _end_group(process)


def page(urls: Mapping[str, str], code: Mapping[str, str], script: str = "") -> str:
    """Runs each client's code on its stream, after the script."""
    modules = [
        f"""<script type="module">
const url = {json.dumps(f"{urls[client]}/stream")};
const take = takeAs({json.dumps(client)});
{with_unnamed_events(text)}
</script>"""
        for client, text in code.items()
    ]
    scripts = [f"<script>\n{script}\n</script>", *modules]
    return f"{(SOURCES / 'page.html').read_text(encoding='utf-8')}{''.join(scripts)}"


@contextmanager
def page_server(page: str, said: Mapping[str, Said]) -> Iterator[str]:
    """Serves the page and the npm packages, and takes what the page says; gives its address."""

    class Asked(Call):
        def respond(self) -> None:
            module = NPM / self.path.lstrip("/")
            if self.command == "POST":
                told = json.loads(self.sent())
                said[told["client"]].add(told["name"], told["id"], told["data"], told["number"])
                self._whole(200, "text/plain", b"noted")
            elif self.path == "/page.html":
                self._whole(200, "text/html; charset=utf-8", page.encode())
            elif self.path.startswith("/node_modules/") and (found := _module(module)):
                self._whole(200, "text/javascript; charset=utf-8", found.read_bytes())
            else:
                self._whole(404, "text/plain", b"not found")

        def _whole(self, status: int, content_type: str, body: bytes) -> None:
            self.answer(status, body, {"content-type": content_type})

    with HttpStandIn(Asked) as server:
        yield f"{server.url}/page.html"


def _module(path: Path) -> Path | None:
    """Packages leave `.js` out of their imports, as bundlers allow."""
    return next(
        (file for file in (path, path.with_name(f"{path.name}.js")) if file.is_file()), None
    )


def _end_group(process: subprocess.Popen[Any]) -> None:
    """The process and all that it started."""
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        pass
    process.wait(10)
