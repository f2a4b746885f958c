"""Where a running stack can be found: a small file, for `make publish` and `make drain`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from local_aws.settings import REPOSITORY_ROOT
from local_aws.tables import TableNames

DEFAULT_STATE_FILE = REPOSITORY_ROOT / ".local" / "stack.json"


def state_file(environ: Mapping[str, str]) -> Path:
    """LOCAL_STATE_FILE, for a second stack beside the first; else the checkout's own."""
    return Path(environ.get("LOCAL_STATE_FILE") or DEFAULT_STATE_FILE)


class NoStackError(Exception):
    """No local stack is running here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    pid: int
    url: str
    console_url: str
    dynamodb_url: str
    tables: TableNames

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> RunningStack:
        """Raises NoStackError; a file left behind by a killed stack counts as none."""
        try:
            state = json.loads(path.read_text())
            os.kill(state["pid"], 0)
        except (FileNotFoundError, ProcessLookupError):
            raise NoStackError("No local stack is running here. Start one with: make run") from None
        return cls(**{**state, "tables": TableNames(**state["tables"])})


def forget(path: Path) -> None:
    """Removes this process's own file; another stack's stays."""
    try:
        if json.loads(path.read_text())["pid"] == os.getpid():
            path.unlink()
    except FileNotFoundError:
        pass
