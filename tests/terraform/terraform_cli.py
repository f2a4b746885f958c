"""Terraform as the tests call it: without a home's configuration, colours or questions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "modules" / "lambda"

# Where a local mirror of the provider lies: a directory in Terraform's
# HOST/hashicorp/aws/VERSION/OS_ARCH layout.
MIRROR_VARIABLE = "TF_PLUGIN_DIR"

# Credentials that are none, and no question to an instance's metadata service. One try: the
# provider retries an unknown operation for minutes otherwise.
_NO_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "unused",
    "AWS_SECRET_ACCESS_KEY": "unused",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
}


class TerraformFailedError(Exception):
    """A command ended with a status that the test did not expect; the message is its output."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left behind. `text` is both outputs, whatever Terraform's line breaks."""

    status: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        return " ".join(f"{self.stdout}\n{self.stderr}".replace("│", " ").split())

    def messages(self) -> Iterator[dict[str, Any]]:
        """The lines of a command that was run with -json."""
        for line in self.stdout.splitlines():
            if line.startswith("{"):
                yield json.loads(line)


@dataclass(slots=True)
class Terraform:
    """Runs Terraform in one directory and remembers how long each command took."""

    directory: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __call__(self, *arguments: str, expect: tuple[int, ...] = (0,), label: str = "") -> Outcome:
        """Run one command. Raises TerraformFailedError unless its status is expected."""
        started = time.monotonic()
        done = subprocess.run(
            ["nice", "-n", "10", "terraform", *arguments],  # other tests measure time beside it
            cwd=self.directory,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        name = label or arguments[0]
        self.seconds[name] = self.seconds.get(name, 0) + time.monotonic() - started
        outcome = Outcome(done.returncode, done.stdout, done.stderr)
        if done.returncode not in expect:
            raise TerraformFailedError(
                f"terraform {' '.join(arguments)}: status {done.returncode}\n"
                f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
            )
        return outcome

    def init(self) -> None:
        """Initialise from the local mirror where there is one, else as a user would."""
        mirror = os.environ.get(MIRROR_VARIABLE)
        from_mirror = (f"-plugin-dir={mirror}",) if mirror else ()
        self("init", "-backend=false", "-input=false", *from_mirror)

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "TF_")) or name == MIRROR_VARIABLE
        }
        quiet = {"TF_IN_AUTOMATION": "1", "TF_CLI_ARGS": "-no-color", "CHECKPOINT_DISABLE": "1"}
        return {**kept, **quiet, **_NO_ACCOUNT, **self.environ}


def copy_of_module(destination: Path) -> Path:
    """The module with its examples and tests, without what an earlier init left. Its new place."""
    target = destination / "modules" / "lambda"
    shutil.copytree(
        MODULE,
        target,
        ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfplan", "*.tfvars"),
    )
    return target
