"""Runs under the function's own Python: which modules a cold start loads, and their bytecode.

    python3.13 -I cold_start_modules.py list TREE            prints one path a line
    python3.13 -I cold_start_modules.py compile TREE < list  writes the bytecode beside the sources

Imports nothing of this project, as TREE is an unpacked zip and this interpreter has no packages.
"""

from __future__ import annotations

import ast
import importlib
import py_compile
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

_PACKAGE = "lambdas"
# Loading it starts the runtime loop, which never returns. What it imports is imported anyway.
_TAKES_OVER = "entrypoint"
_TASK_ROOT = "/var/task"


def imports_of(source: Path) -> Iterator[str]:
    """The modules that a file imports anywhere, in functions too, but not for type checks only."""
    pending: list[ast.AST] = [ast.parse(source.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending.extend(node.orelse)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            pending.extend(ast.iter_child_nodes(node))


def load_what_a_first_stream_needs(tree: Path) -> None:
    """Import the function's modules and whatever they import late, and make its AWS clients."""
    sys.path.insert(0, str(tree))
    sources = sorted((tree / _PACKAGE).rglob("*.py"))
    for source in sources:
        if source.stem != _TAKES_OVER:
            parts = source.relative_to(tree).with_suffix("").parts
            importlib.import_module(".".join(parts).removesuffix(".__init__"))
    for name in sorted({name for source in sources for name in imports_of(source)}):
        if name.split(".")[-1] == _TAKES_OVER:
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            # "from package import name": the name may be a class, or the package itself may be
            # absent on purpose (awslambdaric belongs to the managed runtime).
            if error.name is None or not name.startswith(error.name):
                raise
    # Both load parts of themselves only when first used.
    session = importlib.import_module("botocore.session").get_session()
    session.set_credentials("unused", "unused")
    for service in ("dynamodb", "cloudwatch"):
        session.create_client(service, region_name="us-east-1")
    tracer = importlib.import_module("aws_lambda_powertools").Tracer
    tracer(service="unused", patch_modules=["botocore"])


def compiled_during(load: Callable[[], None]) -> list[str]:
    """The sources that Python had to compile for `load`: a failed import costs that as well."""
    compiled: list[str] = []

    def recorded(loader: Any, data: Any, path: Any, **options: Any) -> Any:
        compiled.append(str(path))
        return original(loader, data, path, **options)

    loaders: Any = SourceFileLoader
    original = loaders.source_to_code
    loaders.source_to_code = recorded
    try:
        load()
    finally:
        loaders.source_to_code = original
    return compiled


def compile_in(tree: Path, names: list[str]) -> None:
    """Write the bytecode, in a form that the interpreter takes without looking at the source.

    The directory of a deployed function cannot be written and its file times are the zip's, so a
    time-stamped file would be taken for stale (https://peps.python.org/pep-0552/).
    """
    for name in names:
        py_compile.compile(
            str(tree / name),
            dfile=f"{_TASK_ROOT}/{name}",
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    task, root = sys.argv[1], Path(sys.argv[2]).resolve()
    if task == "list":
        sys.dont_write_bytecode = True
        loaded = map(Path, compiled_during(lambda: load_what_a_first_stream_needs(root)))
        ours = (root / _PACKAGE).rglob("*.py")
        names = {path.relative_to(root) for path in (*loaded, *ours) if path.is_relative_to(root)}
        sys.stdout.write("".join(f"{name}\n" for name in sorted(map(str, names))))
    else:
        compile_in(root, sys.stdin.read().split())
