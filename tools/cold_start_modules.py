"""Runs under the function's own Python: which modules a cold start loads, and their bytecode.

    python3.13 -I cold_start_modules.py list TREE            prints one path a line
    python3.13 -I cold_start_modules.py compile TREE < list  writes the bytecode beside the sources
    python3.13 -I cold_start_modules.py try TREE < list      the same, without what does not compile

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

_PACKAGES = ("lambda_streaming", "lambdas")
AWS_CLIENTS = ("dynamodb", "cloudwatch")
_TASK_ROOT = "/var/task"


def imports_of(source: str, package: str) -> Iterator[str]:
    """What the source of a module in `package` imports, by full names: anywhere, in functions too,
    but not for type checks only. `from a import b` gives `a` and `a.b`."""
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending.extend(node.orelse)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join(filter(None, (*above, node.module)))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        else:
            pending.extend(ast.iter_child_nodes(node))


def own_sources(tree: Path) -> Iterator[Path]:
    """The files of the service and of the library."""
    for package in _PACKAGES:
        yield from (tree / package).rglob("*.py")


def load_what_a_first_stream_needs(tree: Path) -> None:
    """Import the function's modules and whatever they import late, and make its AWS clients."""
    sys.path.insert(0, str(tree))
    imported: set[str] = set()
    for source in sorted(own_sources(tree)):
        *package, module = source.relative_to(tree).with_suffix("").parts
        importlib.import_module(".".join((*package, module)).removesuffix(".__init__"))
        imported.update(imports_of(source.read_text(encoding="utf-8"), ".".join(package)))
    for name in sorted(imported):
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
    for service in AWS_CLIENTS:
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


def compile_in(tree: Path, names: list[str], *, strict: bool) -> None:
    """Write the bytecode, in a form that the interpreter takes without looking at the source. What
    does not compile (a template, code for another Python) is an error where `strict`.

    The directory of a deployed function cannot be written and its file times are the zip's, so a
    time-stamped file would be taken for stale (https://peps.python.org/pep-0552/).
    """
    for name in names:
        py_compile.compile(
            str(tree / name),
            dfile=f"{_TASK_ROOT}/{name}",
            doraise=strict,
            quiet=0 if strict else 2,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )


if __name__ == "__main__":
    task, root = sys.argv[1], Path(sys.argv[2]).resolve()
    if task == "list":
        sys.dont_write_bytecode = True
        loaded = map(Path, compiled_during(lambda: load_what_a_first_stream_needs(root)))
        needed = {*loaded, *own_sources(root)}
        names = {path.relative_to(root) for path in needed if path.is_relative_to(root)}
        sys.stdout.write("".join(f"{name}\n" for name in sorted(map(str, names))))
    else:
        compile_in(root, sys.stdin.read().splitlines(), strict=task == "compile")
