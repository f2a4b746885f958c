"""What every test run is divided by, and what it ends with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.absence import missing
from tests.fakes.chromium import Page, chromium
from tests.fakes.client_programs import CannotRun

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

# Minutes each, on one worker: begun late, the others would wait for them.
_LONGEST = ("tests/terraform/", "tests/unit/sse_streaming/feeds/test_nothing_lost.py")
_MEASURED = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_MEASURED] = {}


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest) -> dict[str, str]:
    """What a test measured, by what it is; the run ends with it, whatever worker it ran in."""
    return request.config.stash[_MEASURED]


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A tab is one of a real browser, which only CI is sure to have."""
    for item in items:
        if "tab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.ci)
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with ExitStack() as opened:
        try:
            page = opened.enter_context(chromium())
        except CannotRun as why:
            missing(str(why))
        yield page


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A file's tests share a stack, and the Terraform tests a zip and what they applied."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/terraform" if file.startswith("tests/terraform/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _ByFile(config, log)


def pytest_testnodedown(node: WorkerController, error: object) -> None:
    node.config.stash[_MEASURED].update(getattr(node, "workeroutput", {}).get("measured", {}))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["measured"] = session.config.stash[_MEASURED]
    # The X-Ray SDK opens its UDP socket at import and never closes it: Python says so at exit.
    core = sys.modules.get("aws_xray_sdk.core")
    if core is not None:
        core.xray_recorder.emitter._socket.close()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.stash[_MEASURED]:
        terminalreporter.section("measured")
        for what, how_much in config.stash[_MEASURED].items():
            terminalreporter.write_line(f"{what}: {how_much}")
