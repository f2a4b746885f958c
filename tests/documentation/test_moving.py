"""docs/moving: each page moves a whole project by its own diff and commands, and back again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from local_aws.background import BackgroundStack
from tests.documentation.blocks import blocks_of
from tests.documentation.moving import (
    PROJECT_OF,
    PROJECTS,
    Answer,
    Ask,
    app_named_by,
    arrives_in_parts,
    asked,
    asked_of_mangum,
    asked_of_node,
    command_of_the_dockerfile,
    copy_of,
    curled,
    diff_of,
    files_of,
    free_port,
    web_server,
    without_spaces,
)
from tests.documentation.shell import PagesShell
from tests.examples.ways import served, wait_until_free
from tests.fakes.local import WAIT_SECONDS

BACK = "And back"
MANGUM, WEB_ADAPTER = "docs/moving/from-mangum.md", "docs/moving/from-web-adapter.md"
NODE, CONTAINER = "docs/moving/from-node.md", "docs/moving/from-a-container.md"


@dataclass(frozen=True, slots=True)
class Move:
    """`before` asks the project in the place that it comes from."""

    asks: Sequence[Ask]
    before: Callable[[Path, Sequence[Ask]], list[Answer]]
    same: Callable[[Answer], Answer] = lambda answer: answer


def asked_behind_the_script(shop: Path, asks: Sequence[Ask]) -> list[Answer]:
    port = free_port()
    with web_server(["sh", "run.sh"], shop, port, AWS_LWA_PORT=str(port)) as url:
        return asked_at(url, asks)


def asked_in_the_container(shop: Path, asks: Sequence[Ask]) -> list[Answer]:
    port = free_port()
    with web_server(command_of_the_dockerfile(shop, port), shop, port) as url:
        return asked_at(url, asks)


def asked_at(url: str, asks: Sequence[Ask]) -> list[Answer]:
    with httpx.Client(base_url=url, trust_env=False, timeout=WAIT_SECONDS) as client:
        return asked(client, asks)


MOVES = {
    MANGUM: Move(
        [
            Ask("/health"),
            Ask("/orders/1"),
            Ask("/orders/2"),
            Ask("/orders/none"),
            Ask("/orders", "POST", json={"item": "milk", "count": 2}),
            Ask("/orders", "POST", json={"count": 2}),
            Ask("/last", headers={"cookie": "last=milk; other=1"}),
            Ask("/orders.csv"),
            Ask("/logo"),
            Ask("/none", query="a=1&a=%20"),
            Ask("/health", "DELETE"),
        ],
        asked_of_mangum,
    ),
    WEB_ADAPTER: Move(
        [Ask("/health"), Ask("/orders"), Ask("/none"), Ask("/health", "POST")],
        asked_behind_the_script,
    ),
    NODE: Move(
        [Ask("/orders"), Ask("/orders", query="count=2"), Ask("/none")],
        asked_of_node,
        same=without_spaces,
    ),
    CONTAINER: Move(
        [Ask("/health"), Ask("/prices"), Ask("/prices/live", query="count=2"), Ask("/none")],
        asked_in_the_container,
    ),
}


@dataclass(frozen=True, slots=True)
class Moved:
    """What the page made of its project, and what the reader's shell did on the way."""

    project: str
    move: Move
    files: dict[str, tuple[str, bool]]
    files_back: dict[str, tuple[str, bool]]
    before: list[Answer]
    by_url: list[Answer]
    by_http_api: list[Answer]
    curled: list[bool]
    whoami: str
    printed: str
    noted: list[str]


@contextmanager
def client_of(stack: BackgroundStack, base: str) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=base,
        timeout=WAIT_SECONDS,
        trust_env=False,
        event_hooks={"request": [lambda _: wait_until_free(stack)]},
    ) as client:
        yield client


@pytest.fixture(scope="module", params=MOVES, ids=lambda page: Path(page).stem)
def moved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Moved:
    """The page gone through from top to bottom."""
    page: str = request.param
    move, project = MOVES[page], PROJECT_OF[page]
    folder = tmp_path_factory.mktemp(project)
    shop, shell = copy_of(project, folder), PagesShell(folder)
    (shop / "moving.diff").write_text(diff_of(page), encoding="utf-8")
    commands = blocks_of(page, "sh")
    printed = shell.run([one.code for one in commands if one.section != BACK])
    files = files_of(shop)
    app, environ = app_named_by(page)
    with ExitStack() as opened:
        stack = opened.enter_context(served(app, LOCAL_TASK_ROOT=str(shop), **environ))
        url = opened.enter_context(client_of(stack, stack.url))
        http_api = opened.enter_context(client_of(stack, stack.door_url("http_api")))
        by_url, by_http_api = asked(url, move.asks), asked(http_api, move.asks)
        clients = {8080: url, 8084: http_api}
        by_curl = [
            arrives_in_parts(clients[port], target)
            if in_parts
            else clients[port].get(target).is_success
            for port, target, in_parts in curled(page)
        ]
        whoami = url.get("/whoami").text
    shell.run([one.code for one in commands if one.section == BACK])
    return Moved(
        project,
        move,
        files,
        files_of(shop),
        move.before(shop, move.asks),
        by_url,
        by_http_api,
        by_curl,
        whoami,
        printed,
        shell.noted(),
    )


def test_the_diff_is_applied_by_the_pages_command_and_taken_back(moved: Moved) -> None:
    original = files_of(PROJECTS / moved.project)
    left = {name: text for name, text in moved.files_back.items() if name != "moving.diff"}
    assert left == original
    assert {name: text for name, text in moved.files.items() if name != "moving.diff"} != original


def test_the_function_url_answers_as_the_project_did(moved: Moved) -> None:
    same = moved.move.same
    for ask, before, after in zip(moved.move.asks, moved.before, moved.by_url, strict=True):
        assert same(after) == same(before), ask


def test_a_door_that_buffers_answers_as_the_project_did(moved: Moved) -> None:
    same = moved.move.same
    for ask, before, after in zip(moved.move.asks, moved.before, moved.by_http_api, strict=True):
        assert same(after) == same(before), ask


def test_what_the_page_asks_with_curl_is_answered_in_parts_where_it_says_so(moved: Moved) -> None:
    assert moved.curled
    assert all(moved.curled)


def test_what_is_deployed_is_what_the_template_names(moved: Moved) -> None:
    assert [call for call in moved.noted if not call.startswith("curl ")] == ["sam deploy --guided"]
    assert "tools.app_package" in moved.printed
    template, _ = moved.files["template.yaml"]
    assert "shop-py3.13-arm64.zip" in template
    assert "InvokeMode: RESPONSE_STREAM" in template


@pytest.mark.parametrize("moved", [WEB_ADAPTER], indirect=True)
def test_the_web_adapters_project_reads_lambdas_context_from_the_scope(moved: Moved) -> None:
    assert len(json.loads(moved.whoami)["request_id"]) == 36
