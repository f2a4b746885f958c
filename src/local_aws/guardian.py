"""A tiny process that kills what the stack has started as soon as the stack has ended.

Run as `python -I -S guardian.py`. Its standard input is a pipe that only the stack holds: lines
`+PID` and `-PID` say which process groups live; the pipe ends when the stack does, even by SIGKILL.
It works on every POSIX system, where PR_SET_PDEATHSIG would be Linux only, would need code between
fork and exec, and would not reach grandchildren. Imports nothing but the standard library's core,
so that it starts in milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable


def watch(lines: Iterable[bytes]) -> set[int]:
    """The process groups that still live when the input ends."""
    groups: set[int] = set()
    for line in lines:
        sign, pid = line[:1], int(line[1:])
        if sign == b"+":
            groups.add(pid)
        else:
            groups.discard(pid)
    return groups


def main() -> None:
    # A terminal's Ctrl-C goes to the stack; the guardian leaves when the stack has.
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    for group in watch(sys.stdin.buffer):
        try:
            os.killpg(group, signal.SIGKILL)  # ends a stopped process too
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    main()
