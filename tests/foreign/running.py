"""Programs whose output is kept in a file, with a line of progress every two seconds."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_aws.progress import with_progress


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run_into(
    output: Path,
    what: str,
    *command: str,
    environ: Mapping[str, str],
    directory: Path | None = None,
) -> int:
    """The exit status."""
    say(f"{what} …")
    return asyncio.run(_run_into(output, what, command, {**os.environ, **environ}, directory))


async def _run_into(
    output: Path,
    what: str,
    command: Sequence[str],
    environ: Mapping[str, str],
    directory: Path | None,
) -> int:
    with output.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=written,
            stderr=asyncio.subprocess.STDOUT,
            env=environ,
            cwd=directory,
        )
        try:
            return await with_progress(what, process.wait(), say)
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()
