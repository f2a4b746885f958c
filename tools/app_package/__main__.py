"""The command: python -m tools.app_package main:handler --folder ../my-project"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools import zip_rules
from tools.app_package.build import Order, build, zip_name
from tools.app_package.errors import PackagingError
from tools.app_package.report import describe, is_too_large
from tools.app_package.requirements import Target, chosen_extras, extras_of
from tools.interpreters import InterpreterNotFoundError
from tools.package_zip import (
    ARCHITECTURES,
    DEFAULT_ARCHITECTURE,
    DEFAULT_PYTHON,
    PYTHONS,
    ROOT,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="app_package", description="Build the zip of any app.")
    parser.add_argument("app", help="module:attribute, of a handler or an ASGI app")
    parser.add_argument(
        "--folder", type=Path, help="where the module is; default: its package here"
    )
    parser.add_argument("--extras", default="tracing", help="of the library, separated by commas")
    parser.add_argument("--python", choices=PYTHONS, default=DEFAULT_PYTHON)
    parser.add_argument("--architecture", choices=ARCHITECTURES, default=DEFAULT_ARCHITECTURE)
    parser.add_argument("--output", type=Path, help="default: build/, named by app, Python and CPU")
    parser.add_argument("--interpreter", help="a Python of that version")
    parser.add_argument("--no-bytecode", action="store_true")
    given = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        extras = chosen_extras(given.extras, extras_of(ROOT / "pyproject.toml"))
        name = zip_name(given.app, given.folder, given.python, given.architecture)
        order = Order(
            app=given.app,
            folder=given.folder,
            target=Target(
                given.python,
                given.architecture,
                zip_rules.platform_tags(given.architecture, given.python),
            ),
            extras=extras,
            bytecode=not given.no_bytecode,
            interpreter=given.interpreter,
        )
        built = build(order, given.output or ROOT / "build" / name)
    except InterpreterNotFoundError as error:
        sys.stderr.write(f"app_package: {error}\n")
        return 2
    except PackagingError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{describe(built)}\n  built in {time.monotonic() - started:.1f} s\n")
    return 1 if is_too_large(built) else 0


if __name__ == "__main__":
    sys.exit(main())
