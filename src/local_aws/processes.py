"""Child processes of the stack: each in a group of its own, none outlives the stack."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

_MAX_LINE_BYTES = 64 * 1024


class Spawner(Protocol):
    """Starts a process whose output lines go to `on_line`."""

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        on_line: Callable[[str], None],
    ) -> Child: ...


class Child:
    """A started process and the group that it leads."""

    def __init__(self, process: Process, on_line: Callable[[str], None]) -> None:
        self._process = process
        self._output = asyncio.create_task(self._read_lines(on_line))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def signal(self, number: signal.Signals) -> None:
        """Signals the whole group; no error if it has ended."""
        if self._process.returncode is None:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                pass

    async def wait(self) -> int:
        """The exit status, once the process has ended."""
        return await self._process.wait()

    async def end(self, *, grace_seconds: float) -> int:
        """Continues it, asks it to end, kills it after the grace; returns when it has ended."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_seconds):
                await self.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
        status = await self.wait()
        await self.output_read()
        return status

    async def output_read(self) -> None:
        """Waits (bounded: a grandchild may hold the pipe) until the last line is collected."""
        await asyncio.wait([self._output], timeout=0.5)
        self._output.cancel()

    async def _read_lines(self, on_line: Callable[[str], None]) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        rest = b""
        while data := await stdout.read(_MAX_LINE_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _MAX_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                on_line(line.decode(errors="replace"))
        if rest:
            on_line(rest.decode(errors="replace"))


class ProcessGuard:
    """Starts processes and tells the guardian about each (see guardian.py)."""

    def __init__(self) -> None:
        self._guardian: Process | None = None
        self._watches: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._guardian = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(Path(__file__).with_name("guardian.py")),
            stdin=PIPE,
            stdout=DEVNULL,
            start_new_session=True,
        )

    async def stop(self) -> None:
        """Every process has been ended by its owner before this; stragglers are killed."""
        guardian = self._guardian
        if guardian is None:
            return
        if guardian.stdin is not None:
            guardian.stdin.close()
        await guardian.wait()
        await asyncio.gather(*self._watches)
        self._guardian = None

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        on_line: Callable[[str], None],
    ) -> Child:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        self._tell("+", process.pid)
        watch = asyncio.create_task(self._forget_when_gone(process))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        return Child(process, on_line)

    async def _forget_when_gone(self, process: Process) -> None:
        await process.wait()
        self._tell("-", process.pid)

    def _tell(self, sign: str, pid: int) -> None:
        guardian = self._guardian
        assert guardian is not None, "start the guard before any process"
        if guardian.stdin is not None and not guardian.stdin.is_closing():
            guardian.stdin.write(f"{sign}{pid}\n".encode())
