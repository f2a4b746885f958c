"""The projects that docs/moving moves, and the ways to run each before it is moved."""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from local_aws.settings import REPOSITORY_ROOT
from tests.absence import missing
from tests.documentation.blocks import blocks_of
from tests.documentation.installing import python_packages
from tests.fakes.events import http_api_event
from tests.fakes.local import WAIT_SECONDS, wait_until

PROJECTS = REPOSITORY_ROOT / "tests/data/moving"
PROJECT_OF = {
    "docs/moving/from-mangum.md": "mangum",
    "docs/moving/from-web-adapter.md": "web_adapter",
    "docs/moving/from-node.md": "node",
    "docs/moving/from-a-container.md": "container",
}
_RUN_MANGUM = """
import json, sys, types
sys.path[:0] = json.loads(sys.argv[1])
import main
context = types.SimpleNamespace(aws_request_id="request")
print(json.dumps([main.handler(event, context) for event in json.loads(sys.argv[2])]))
"""
"""Prints the answers last."""


@dataclass(frozen=True, slots=True)
class Ask:
    path: str
    method: str = "GET"
    query: str = ""
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Answer:
    """What the app says, without what the server around it adds."""

    status: int
    content_type: str
    body: bytes
    cookies: tuple[str, ...]


def copy_of(project: str, folder: Path) -> Path:
    shop = folder / "shop"
    shutil.copytree(PROJECTS / project, shop, ignore=shutil.ignore_patterns("__pycache__"))
    return shop


def diff_of(page: str) -> str:
    (block,) = blocks_of(page, "diff")
    return block.code


def files_of(folder: Path) -> dict[str, tuple[str, bool]]:
    """Each file's text, and whether it can be run."""
    return {
        str(path.relative_to(folder)): (
            path.read_text(encoding="utf-8"),
            os.access(path, os.X_OK),
        )
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def asked(client: httpx.Client, asks: Sequence[Ask]) -> list[Answer]:
    return [
        _answer(client.request(ask.method, ask.target, json=ask.json, headers=ask.headers))
        for ask in asks
    ]


def asked_of_mangum(shop: Path, asks: Sequence[Ask]) -> list[Answer]:
    """As an HTTP API invokes the function."""
    events = [_http_api_event(ask) for ask in asks]
    paths = [str(shop), str(mangums_folder())]
    done = subprocess.run(
        [sys.executable, "-c", _RUN_MANGUM, json.dumps(paths), json.dumps(events)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return [_answer_of_document(one) for one in json.loads(done.stdout.splitlines()[-1])]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def web_server(argv: Sequence[str], shop: Path, port: int, **environ: str) -> Iterator[str]:
    """The app in its own web server; `python` and `uvicorn` are those of this environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        argv,
        cwd=shop,
        env={"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _answers(url), "the server answers")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def command_of_the_dockerfile(shop: Path, port: int) -> list[str]:
    """Its CMD, on another port."""
    (line,) = (
        line for line in (shop / "Dockerfile").read_text().splitlines() if line.startswith("CMD ")
    )
    argv: list[str] = json.loads(line.removeprefix("CMD "))
    return [str(port) if one == "8000" else one for one in argv]


def asked_of_node(shop: Path, asks: Sequence[Ask]) -> list[Answer]:
    """In Node, with a stand-in for what Lambda's runtime gives its functions."""
    node = shutil.which("node") or missing("node is not installed")
    done = subprocess.run(
        [
            node,
            str(Path(__file__).parent / "streamify_response.mjs"),
            str(shop / "index.mjs"),
            json.dumps([_http_api_event(ask) for ask in asks]),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return [_answer_of_document(one) for one in json.loads(done.stdout)]


def arrives_in_parts(client: httpx.Client, target: str) -> bool:
    """Whether the first part came well before the last, at the latest when nothing else kept this
    computer busy."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        with client.stream("GET", target) as answer:
            times = [time.monotonic() for _ in answer.iter_raw()]
        if len(times) == 3 and times[2] - times[0] > 0.1:
            return True
    return False


def app_named_by(page: str) -> tuple[str, dict[str, str]]:
    """What the page's `make run` runs: the app, and the variables before it."""
    (line,) = (
        line
        for block in blocks_of(page, "sh")
        for line in block.code.splitlines()
        if "make run" in line
    )
    words = dict(word.split("=", 1) for word in shlex.split(line) if "=" in word)
    environ = {name: value for name, value in words.items() if name.startswith("STREAMING_")}
    return words["APP"], environ


def curled(page: str) -> list[tuple[int, str, bool]]:
    """The local ports and targets that the page asks with curl, and whether it shows parts."""
    words = [
        shlex.split(line)
        for block in blocks_of(page, "sh")
        for line in block.code.splitlines()
        if line.startswith("curl ")
    ]
    urls = [(httpx.URL(one[-1]), "-N" in one) for one in words]
    return [(url.port or 0, url.raw_path.decode(), in_parts) for url, in_parts in urls]


def without_spaces(answer: Answer) -> Answer:
    """Lines of JSON, as every language writes them."""
    lines = [json.loads(line) for line in answer.body.splitlines()]
    return Answer(answer.status, answer.content_type, json.dumps(lines).encode(), answer.cookies)


def _answer(answer: httpx.Response) -> Answer:
    return Answer(
        answer.status_code,
        answer.headers.get("content-type", ""),
        answer.content,
        tuple(sorted(answer.headers.get_list("set-cookie"))),
    )


def _answer_of_document(document: dict[str, Any]) -> Answer:
    headers = {name.lower(): value for name, value in document["headers"].items()}
    body = document["body"].encode()
    return Answer(
        document["statusCode"],
        headers.get("content-type", ""),
        base64.b64decode(body) if document.get("isBase64Encoded") else body,
        tuple(sorted(document.get("cookies", ()))),
    )


def _http_api_event(ask: Ask) -> dict[str, Any]:
    event = http_api_event(ask.method, ask.path, ask.query)
    event["headers"].update(ask.headers)
    event.pop("cookies", None)
    if ask.json is not None:
        event["headers"]["content-type"] = "application/json"
        event["body"] = json.dumps(ask.json)
        event["isBase64Encoded"] = False
    return event


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=WAIT_SECONDS).status_code > 0
    except httpx.TransportError:
        return False


def mangums_folder() -> Path:
    """Mangum beside the environment, which must not have it: nothing here may need it."""
    (line,) = (
        line
        for line in (PROJECTS / "mangum/requirements.txt").read_text().splitlines()
        if line.startswith("mangum==")
    )
    return python_packages("mangum", line)
