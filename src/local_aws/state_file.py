"""The state file of each running stack: how commands find it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local_aws.feed.declaration import Declaration
from local_aws.feed.tables import TableNames
from local_aws.settings import DEFAULT_PORT, WORK_ROOT, Settings

STATE_FOLDER = WORK_ROOT / ".local"
_NONE = "No local stack is running here. Start one with: make run"


class NoStackError(Exception):
    """No local stack is running here, or not the one that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    """Without tables it runs an app that serves no feed."""

    pid: int
    url: str
    console_url: str
    dynamodb_url: str | None = None
    tables: TableNames | None = None
    feed: Declaration | None = None

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: a command may read it at any time.
        part = path.with_name(f"{path.name}.{os.getpid()}")
        part.write_text(json.dumps(asdict(self), indent=2) + "\n")
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> RunningStack:
        """Raises NoStackError; a file left behind by a killed stack counts as none."""
        try:
            state = json.loads(path.read_text())
            os.kill(state["pid"], 0)
        except (FileNotFoundError, ProcessLookupError):
            raise NoStackError(_NONE) from None
        except PermissionError:
            pass  # somebody else's process is alive, too
        tables, feed = state["tables"], state.get("feed")
        return cls(
            **{
                **state,
                "tables": None if tables is None else TableNames(**tables),
                "feed": None if feed is None else Declaration.from_json(feed),
            }
        )

    def answers(self) -> bool:
        """Whether its port is open: after a reboot another process may have its pid."""
        with socket.socket() as sock:
            return sock.connect_ex((urlsplit(self.url).hostname, self.port)) == 0


def state_file(settings: Settings, *, port: int) -> Path:
    """LOCAL_STATE_FILE, else one of the port's own: stacks of one checkout can run side by side."""
    return settings.state_file or STATE_FOLDER / f"stack-{port}.json"


def running_stack(
    environ: Mapping[str, str],
    *,
    say: Callable[[str], None],
    connections_table: str | None = None,
    needs_tables: bool = False,
    folder: Path = STATE_FOLDER,
    answers: Callable[[RunningStack], bool] = RunningStack.answers,
) -> RunningStack:
    """The stack that a command talks to: LOCAL_STATE_FILE's or PORT's; else the one on the default
    port, else the newest. `say` prints a line if there was a choice.

    `connections_table`: only stacks that have it; `needs_tables`: only those that have any.
    Raises NoStackError.
    """
    if file := environ.get("LOCAL_STATE_FILE"):
        running = [RunningStack.read(Path(file))]
    else:
        running = [stack for stack in _newest_first(folder) if answers(stack)]
        if port := environ.get("PORT"):
            running = _on_port(port, running)
    if needs_tables or connections_table is not None:
        found, running = running, [stack for stack in running if stack.tables is not None]
        if found and not running:
            raise NoStackError("The local stack that runs here has no tables: it serves no feed.")
    if connections_table is not None:
        running = [
            stack
            for stack in running
            if stack.tables and stack.tables.connections == connections_table
        ]
    if not running:
        raise NoStackError(_NONE)
    chosen = next((stack for stack in running if stack.port == DEFAULT_PORT), running[0])
    if len(running) > 1:
        others = [f"PORT={stack.port}" for stack in running if stack is not chosen]
        say(
            f"{len(running)} local stacks are running. This is about PORT={chosen.port};"
            f" to choose another, give {' or '.join(sorted(others))}."
        )
    return chosen


def _on_port(port: str, running: list[RunningStack]) -> list[RunningStack]:
    """Raises NoStackError, which names those that run."""
    found = [stack for stack in running if str(stack.port) == port]
    if running and not found:
        others = ", ".join(sorted(f"PORT={stack.port}" for stack in running))
        raise NoStackError(f"No local stack is running here with PORT={port}, but with {others}.")
    return found


def _newest_first(folder: Path) -> Iterator[RunningStack]:
    """Stacks whose process lives. A killed stack's file stays until the next one on its port."""
    for path in sorted(folder.glob("stack-*.json"), key=_written_at, reverse=True):
        try:
            yield RunningStack.read(path)
        except NoStackError:
            pass


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # its stack has ended this moment
        return 0.0


def forget(path: Path) -> None:
    """Removes the file if it is this process's."""
    try:
        if json.loads(path.read_text())["pid"] == os.getpid():
            path.unlink()
    except FileNotFoundError:
        pass
