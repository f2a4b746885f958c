"""The local stack's commands, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from local_aws.settings import REPOSITORY_ROOT
from tests.wire.local_lambda import SCRIPTED


def local_aws(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_aws", *arguments],
        stdin=subprocess.DEVNULL,
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def without_stack(folder: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(REPOSITORY_ROOT / "src"),
        "LOCAL_STATE_FILE": str(folder / "none.json"),
    }


def run_environ(folder: Path, **more: str) -> dict[str, str]:
    return {
        **{k: v for k, v in os.environ.items() if k in ("PATH", "LOCAL_DYNOXIDE")},
        "PYTHONPATH": str(REPOSITORY_ROOT / "src"),
        "PORT": "0",
        "LOCAL_TASK_ROOT": str(SCRIPTED.task_root),
        "LOCAL_HANDLER": SCRIPTED.handler,
        "LOCAL_STATE_FILE": str(folder / "stack.json"),
        "LOCAL_ITEMS_PER_SECOND": "0",
        **more,
    }


class RunCommand:
    """`python -m local_aws run`, until its banner has been printed."""

    def __init__(
        self, environ: dict[str, str], *arguments: str, folder: Path | None = None
    ) -> None:
        """Run in `folder`, where it is not this test's."""
        self.environ = environ
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local_aws", "run", *arguments],
            env=environ,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.banner = ""
        for line in self.process.stdout:
            self.banner += line
            if "curl -N" in line:
                break
        self.state = json.loads(Path(environ["LOCAL_STATE_FILE"]).read_text())

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return local_aws(self.environ, *arguments)

    def children(self) -> list[int]:
        """The pids of all processes that the stack has started."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid:
                found.append(int(stat.parent.name))
        return found

    def close(self) -> None:
        assert self.process.stdout is not None
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()
