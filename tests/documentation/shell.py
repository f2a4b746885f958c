"""One shell that goes through a page's commands, as its reader would.

`make` only prints what it would do, and a program that would change an account, or ask a server
that is not there, only notes its arguments.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local_aws.settings import REPOSITORY_ROOT

_STANDINS = ("sam", "npx", "curl")


class PagesShell:
    """Stands in this repository's folder, which has the project `shop` beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._repository = folder / "lambda-streaming"
        self._repository.symlink_to(REPOSITORY_ROOT)
        self._programs = folder / "programs"
        self._programs.mkdir()
        self._noted = folder / "noted"
        for name in _STANDINS:
            program = self._programs / name
            program.write_text(f'#!/bin/sh\necho "{name} $*" >> "$NOTED"\n', encoding="utf-8")
            program.chmod(0o755)

    def run(self, commands: Sequence[str]) -> str:
        """What it printed. Fails with what a command said that failed."""
        python = str(Path(sys.executable).parent)
        done = subprocess.run(
            ["bash", "-euc", f"cd '{self._repository}'\n" + "".join(commands)],
            env={
                "PATH": os.pathsep.join([str(self._programs), python, os.environ["PATH"]]),
                "HOME": str(self._folder),
                "MAKEFLAGS": "n",
                "NOTED": str(self._noted),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def noted(self) -> list[str]:
        """The calls of programs that only note them."""
        return self._noted.read_text(encoding="utf-8").splitlines() if self._noted.exists() else []
