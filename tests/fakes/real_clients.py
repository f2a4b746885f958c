"""Starts the clients of tests/e2e/clients and collects what each one says it saw."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local_aws.settings import REPOSITORY_ROOT

SCRIPTS = REPOSITORY_ROOT / "tests/e2e/clients"
INSTALLED = REPOSITORY_ROOT / ".venv/clients"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class CannotRun(Exception):
    """A client is not on this computer and cannot be installed."""


@dataclass(slots=True)
class Said:
    """What one client said, in its own order."""

    _records: list[dict[str, Any]] = field(default_factory=list)

    def add(self, record: dict[str, Any]) -> None:
        self._records.append(record)

    @property
    def records(self) -> list[dict[str, Any]]:
        """A page's come over several connections, and are numbered."""
        return sorted(self._records, key=lambda record: record.get("number", 0))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [
            json.loads(record["data"])
            for record in self.records
            if record["kind"] == "event" and record["name"] == name
        ]


@contextmanager
def command_line_client(argv: list[str], said: Said) -> Iterator[None]:
    """A program that prints one JSON record a line."""
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    assert process.stdout is not None
    lines = process.stdout

    def read() -> None:
        for line in lines:
            said.add(json.loads(line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield
    finally:
        _end_group(process)
        reader.join(5)
        lines.close()


def python_script(name: str) -> list[str]:
    return [sys.executable, str(SCRIPTS / name)]


def curl_script() -> list[str]:
    if shutil.which("curl") is None:
        raise CannotRun("curl is not installed")
    return python_script("curl_client.py")


def builtin_script() -> list[str]:
    """Raises CannotRun where Node has no EventSource of its own."""
    node = _node()
    argv = [node, "--no-warnings", "--experimental-eventsource"]
    if subprocess.run(
        [*argv, "--eval", "new EventSource('http://127.0.0.1:1').close()"],
        capture_output=True,
        timeout=20,
    ).returncode:
        raise CannotRun("this node has no --experimental-eventsource: 20.18 or 22.3 and later do")
    return [*argv, str(SCRIPTS / "node_builtin.js")]


def npm_script() -> list[str]:
    """Raises CannotRun."""
    return [_node(), str(installed() / "npm_eventsource.js")]


def axe_core() -> str:
    """The script that judges whether a page can be used by everybody. Raises CannotRun."""
    return (installed() / "node_modules/axe-core/axe.min.js").read_text()


def installed() -> Path:
    """The folder with what package-lock.json pins, which is installed once. Raises CannotRun."""
    _node()
    INSTALLED.mkdir(parents=True, exist_ok=True)
    with (INSTALLED.parent / "clients.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests of several files want it at once
        _install()
    return INSTALLED


def _install() -> None:
    wanted, marker = (SCRIPTS / "package-lock.json").read_bytes(), INSTALLED / ".installed"
    for file in SCRIPTS.glob("*.js*"):
        shutil.copy(file, INSTALLED)
    if not marker.exists() or marker.read_bytes() != wanted:
        installing = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=INSTALLED,
            capture_output=True,
            text=True,
            timeout=50,
        )
        if installing.returncode:
            raise CannotRun(f"npm could not install the clients: {installing.stderr[-500:]}")
        marker.write_bytes(wanted)


def _node() -> str:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise CannotRun("node and npm are not installed")
    return node


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


@contextmanager
def page_server(page: str, said: dict[str, Said]) -> Iterator[str]:
    """Serves the page and the scripts, and takes the page's records; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = Path(self.path.partition("?")[0]).name
            if name == "page.html":
                self._answer(200, _TYPES[".html"], page.encode())
            elif (SCRIPTS / name).suffix == ".js" and (SCRIPTS / name).exists():
                self._answer(200, _TYPES[".js"], (SCRIPTS / name).read_bytes())
            else:
                self._answer(404, "text/plain", b"not found")

        def do_POST(self) -> None:
            record = json.loads(self.rfile.read(int(self.headers["content-length"])))
            said[record.pop("client")].add(record)
            self._answer(200, "text/plain", b"noted")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/page.html"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _end_group(process: subprocess.Popen[Any]) -> None:
    """The process and all that it started."""
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        pass
    process.wait(10)
