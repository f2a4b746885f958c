"""Runs a command that is silent for long, and shows its latest line every two seconds.

    python -m tools.patiently WHAT COMMAND…            shows its output if it fails
    python -m tools.patiently --output WHAT COMMAND…   shows its output in any case, at its end

Needs only the standard library: it also runs the installation of the packages.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from typing import BinaryIO

from local_aws.progress import with_progress

_LINES_OF_A_FAILURE = 40
_LAST_LINE_BYTES = 2_000
_MAX_COLUMNS = 100
_NO_SUCH_COMMAND = 127  # as in a shell
_INTERRUPTED = 130


async def run(what: str, command: Sequence[str], *, shows_output: bool) -> int:
    """The command's exit status, as a shell gives it."""
    this = asyncio.current_task()
    assert this is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    # A file, not a pipe: nobody has to read it for the command to go on.
    with tempfile.TemporaryFile() as written:
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdout=written, stderr=asyncio.subprocess.STDOUT
            )
        except FileNotFoundError:
            _say(f"{what}: there is no {command[0]}.")
            return _NO_SUCH_COMMAND
        try:
            status = await with_progress(
                what,
                process.wait(),
                lambda text: _say(f"{text} {_last_line(written)}"[:_MAX_COLUMNS].rstrip()),
            )
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            return _INTERRUPTED
        lines = _read(written, _size(written)).splitlines()
        if lines and (shows_output or status != 0):
            _say("\n".join(lines if shows_output else lines[-_LINES_OF_A_FAILURE:]))
    return status if status >= 0 else 128 - status


def _last_line(written: BinaryIO) -> str:
    lines = _read(written, _LAST_LINE_BYTES).split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _read(written: BinaryIO, last_bytes: int) -> str:
    """Leaves the position where it is: the command writes at it."""
    start = max(_size(written) - last_bytes, 0)
    return os.pread(written.fileno(), last_bytes, start).decode(errors="replace")


def _size(written: BinaryIO) -> int:
    return os.fstat(written.fileno()).st_size


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="patiently", description=__doc__)
    parser.add_argument("--output", action="store_true")
    parser.add_argument("what")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args(arguments)
    return asyncio.run(run(given.what, given.command, shows_output=given.output))


if __name__ == "__main__":
    sys.exit(main())
