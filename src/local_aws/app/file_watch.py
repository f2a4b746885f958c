"""Notices that a Python file of the app has changed, by looking twice a second.

The systems' own notices of changed files would need a package, or code for each system.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

_EVERY_SECONDS = 0.5
_NOT_THE_APPS = frozenset({"__pycache__", "node_modules", "site-packages"})

Look = tuple[int, int]  # modified at (ns), size


class PythonFiles:
    """The Python files below a folder, without those of virtual environments and hidden folders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._look()

    def changed(self) -> str | None:
        """A file that was changed, added or removed since the last look, if there is one."""
        before, self._seen = self._seen, self._look()
        different = dict(before.items() ^ self._seen.items())
        return min(different, default=None)

    def _look(self) -> dict[str, Look]:
        found: dict[str, Look] = {}
        for place, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if _is_the_apps(os.path.join(place, name), name)]
            for name in files:
                if name.endswith(".py"):
                    path = os.path.join(place, name)
                    try:
                        stat = os.stat(path)
                    except OSError:
                        continue  # an editor has replaced it this moment
                    relative = os.path.relpath(path, self._folder)
                    found[relative] = stat.st_mtime_ns, stat.st_size
        return found


async def watch(
    files: PythonFiles,
    on_change: Callable[[str], Awaitable[None]],
    *,
    every_seconds: float = _EVERY_SECONDS,
) -> None:
    """Calls `on_change` with the name of a changed file; runs until it is cancelled."""
    while True:
        await asyncio.sleep(every_seconds)
        name = await asyncio.to_thread(files.changed)
        if name is not None:
            await on_change(name)


def _is_the_apps(path: str, name: str) -> bool:
    if name in _NOT_THE_APPS or name.startswith("."):
        return False
    return not os.path.exists(os.path.join(path, "pyvenv.cfg"))
