"""Apps that are a feed: the service is packed with them, and the table they declare is told."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from tools import cold_start_modules
from tools.app_package.errors import AppError
from tools.app_package.files import AppFiles
from tools.app_package.handler import SERVICE
from tools.interpreters import bare_environment

FEED_EXTRA = "feed"
_PROGRAM = """\
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("lambdas.sse_streaming.declaration", run_name="__main__", alter_sys=True)
"""
_IMPORT_SECONDS = 60


def imports_in(files: AppFiles) -> Iterator[tuple[PurePosixPath, set[str]]]:
    """Each of the app's Python files, with the modules that it imports."""
    for module, path in files.modules.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        try:
            source = (files.folder / path).read_text("utf-8")
            yield path, set(cold_start_modules.imports_of(source, package))
        except (SyntaxError, ValueError):  # code for a newer Python than this
            continue


def uses_service(files: AppFiles) -> bool:
    """Whether any of the app's files imports the service."""
    names = (name for _, imported in imports_in(files) for name in imported)
    return any(f"{name}.".startswith(f"{SERVICE}.") for name in names)


def declaration(app: str, tree: Path, interpreter: str) -> Any:
    """What the app's feed declares. Its module is imported from the `tree` that is packed: a
    declaration is a value that its code makes, which no source tells.

    Raises AppError.
    """
    try:
        done = subprocess.run(
            [interpreter, "-I", "-B", "-c", _PROGRAM, str(tree), app],
            capture_output=True,
            text=True,
            check=False,
            timeout=_IMPORT_SECONDS,
            env=bare_environment(),
        )
    except subprocess.TimeoutExpired as error:
        raise AppError(
            f"APP={app}: its import took more than {_IMPORT_SECONDS} s, and its feed's declaration"
            " is read by importing it. Let the module connect to nothing while it is imported"
        ) from error
    if done.returncode != 0:
        why = done.stderr.strip().rpartition("\n")[2]
        raise AppError(
            f"APP={app}: its feed's declaration is read by importing it, and that failed: {why}\n"
            "Let the feed stand in a module that needs no variables and no packages compiled for"
            " another CPU while it is imported."
        )
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise AppError(
            f"APP={app}: its feed's declaration is read by importing it, and what it printed stands"
            f" in the way: {done.stdout[-200:]!r}. Let the module print nothing when it ends"
        ) from error
