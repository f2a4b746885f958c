"""What `module:attribute` is in an app's folder, read from the source: nothing is imported.

The app's import may need its packages, its variables, its database. So what only an import could
tell is taken as it was given.
"""

from __future__ import annotations

import ast
import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import TypeAlias

from tools.app_package.errors import AppError
from tools.app_package.files import AppFiles

LIBRARY = "lambda_streaming"
SERVICE = "lambdas.sse_streaming"
ENTRYPOINT = f"{LIBRARY}.entrypoint"

_NAME = re.compile(
    r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*):(?P<attribute>[^\W\d]\w*(?:\.[^\W\d]\w*)*)(?P<call>\(\))?"
)
_WSGI_FRAMEWORKS = frozenset({"flask", "bottle"})

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Value(enum.Enum):
    """What a name stands for, if it is no function, as far as the source tells."""

    HANDLER = enum.auto()
    """Made by this library."""
    FEED = enum.auto()
    """The service, on a table of the app's."""
    ASGI = enum.auto()
    WSGI = enum.auto()
    MANGUM = enum.auto()
    UNKNOWN = enum.auto()


@dataclass(frozen=True, slots=True)
class HandlerSetting:
    """What the function is configured with, so that it serves the app.

    Where `is_buffered`, the handler is a function of (event, context), which Lambda's own runtime
    runs. What `is_guessed` only an import could tell. A feed (`is_feed`) declares its table.
    """

    handler: str
    environment: Mapping[str, str] = field(default_factory=dict)
    is_buffered: bool = False
    is_guessed: bool = False
    is_feed: bool = False


def module_of(app: str) -> str:
    """The module in `module:attribute`. Raises AppError."""
    return _parsed(app)["module"]


def handler_setting(app: str, files: AppFiles) -> HandlerSetting:
    """How what `app` names in these files is served: a handler of this library by the setting
    itself, an ASGI app by the library's entrypoint.

    Raises AppError for what is not there, or cannot be served as it is.
    """
    name = _parsed(app)
    module, attribute = name["module"], name["attribute"]
    if (module, attribute) == (ENTRYPOINT, "handler"):
        return HandlerSetting(f"{ENTRYPOINT}.handler")
    found = _look_up(app, module, attribute.partition(".")[0], files)
    if name["call"]:
        return _by_entrypoint(f"{module}:{attribute}()")
    match found:
        case ast.AsyncFunctionDef() if len(_arguments(found)) == 3:
            return _by_entrypoint(f"{module}:{attribute}")
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return _of_function(app, module, found)
        case Value.ASGI:
            return _by_entrypoint(f"{module}:{attribute}")
        case Value.WSGI:
            raise AppError(
                f"APP={app} is a WSGI app. Write in {module}: handler = wsgi({attribute}), and give"
                f" APP={module}:handler EXTRAS=wsgi,tracing"
            )
        case Value.MANGUM:
            raise AppError(
                f"APP={app} is Mangum's, which buffers every answer. Write in {module}:"
                f" {attribute} = asgi(…) with the app that Mangum was given, or give that as APP"
            )
    return HandlerSetting(
        f"{module}.{attribute}",
        is_guessed=found not in (Value.HANDLER, Value.FEED),
        is_feed=found is Value.FEED,
    )


def _parsed(app: str) -> re.Match[str]:
    name = _NAME.fullmatch(app.strip())
    if name is None:
        raise AppError(f"APP={app}: give module:attribute, as in APP=main:handler")
    return name


def _by_entrypoint(app: str) -> HandlerSetting:
    return HandlerSetting(f"{ENTRYPOINT}.handler", {"STREAMING_APP": app})


def _of_function(app: str, module: str, function: Function) -> HandlerSetting:
    arguments = _arguments(function)
    if arguments[:1] == ["environ"]:
        raise AppError(
            f"APP={app} is a WSGI app. Write in {module}: handler = wsgi({function.name}), and give"
            f" APP={module}:handler EXTRAS=wsgi,tracing"
        )
    if len(arguments) == 1:
        raise AppError(
            f"APP={app} is a function of one argument. If that is a Request, write in {module}:"
            f" handler = streaming({function.name}), and give APP={module}:handler"
        )
    return HandlerSetting(f"{module}.{function.name}", is_buffered=True)


def _arguments(function: Function) -> list[str]:
    return [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]


def _look_up(app: str, module: str, attribute: str, files: AppFiles) -> Function | Value:
    """What the attribute is, also where the module has it from another one of the app's."""
    modules = files.modules
    if module not in modules:
        raise AppError(
            f"APP={app}: there is no module {module} in {files.folder}. {_hint(module, files)}"
        )
    path = modules[module]
    tree = _tree(files, path)
    if tree is None:
        return Value.UNKNOWN
    names = dict(_bindings(tree.body))
    match names.get(attribute):
        case None if "*" in names or "__getattr__" in names:
            return Value.UNKNOWN
        case None:
            near = get_close_matches(attribute, names, 1)
            hint = f" Did you mean {module}:{near[0]}?" if near else ""
            raise AppError(f"APP={app}: {path} binds no {attribute} at its top level.{hint}")
        case ast.ImportFrom() as statement:
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            origin, name = _origin(statement, attribute, package)
            if origin in modules and origin != module:
                return _look_up(app, origin, name, files)
        case ast.Call(func=called):
            return _made_by(called, names)
        case (ast.FunctionDef() | ast.AsyncFunctionDef()) as function:
            return function
    return Value.UNKNOWN


def _tree(files: AppFiles, path: PurePosixPath) -> ast.Module | None:
    try:
        return ast.parse((files.folder / path).read_bytes(), filename=str(path))
    except SyntaxError:  # it may be right in the Python that will run it, which is newer than this
        return None


def _hint(module: str, files: AppFiles) -> str:
    last = module.rpartition(".")[2]
    same = [name for name in files.modules if name.rpartition(".")[2] == last]
    for near in same or get_close_matches(module, files.modules, 1):
        return f"Did you mean {near}?"
    return "Give the folder that holds it: APP_DIR=…"


def _bindings(body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """Each name that statements bind, with what it is bound to: a function, a value, an import."""
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, statement
            case ast.ClassDef(name=name):
                yield name, statement
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from _targets(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield from _targets(target, value)
            case ast.Import(names=aliases):
                for alias in aliases:
                    yield alias.asname or alias.name.partition(".")[0], statement
            case ast.ImportFrom(names=aliases):
                for alias in aliases:
                    yield alias.asname or alias.name, statement
            case _:
                yield from _bindings(_inner(statement))


def _inner(statement: ast.AST) -> list[ast.stmt]:
    """The statements in one that is made of them: `if`, `try`, `with`, a loop."""
    inner: list[ast.stmt] = []
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt):
            inner.append(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            inner += child.body
    return inner


def _targets(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _targets(each, target)


def _origin(statement: ast.ImportFrom, name: str, package: str) -> tuple[str, str]:
    """The module that a name is imported from, and its name there."""
    above = package.split(".")[: 1 - statement.level or None] if statement.level else []
    original = next(alias.name for alias in statement.names if name == (alias.asname or alias.name))
    return ".".join(filter(None, (*above, statement.module))), original


def _made_by(called: ast.expr, names: Mapping[str, ast.AST]) -> Value:
    root = called
    while isinstance(root, ast.Attribute):
        root = root.value
    match names.get(root.id) if isinstance(root, ast.Name) else None:
        case ast.ImportFrom(level=0, module=str(module)):
            pass
        case ast.Import(names=[ast.alias(name=module)]):
            pass
        case _:
            # The app's own factory makes a handler only where it knows this library.
            return Value.UNKNOWN if _imports_library(names) else Value.ASGI
    package = module.partition(".")[0]
    if _is_of_the_service(module):
        return Value.FEED
    if package == LIBRARY:
        return Value.HANDLER
    if package == "mangum":
        return Value.MANGUM
    if package in _WSGI_FRAMEWORKS or ast.unparse(called).endswith("get_wsgi_application"):
        return Value.WSGI
    return Value.ASGI


def _imports_library(names: Mapping[str, ast.AST]) -> bool:
    for statement in names.values():
        match statement:
            case ast.ImportFrom(module=str(module)):
                modules = [module]
            case ast.Import(names=aliases):
                modules = [alias.name for alias in aliases]
            case _:
                continue
        if any(_is_of_the_service(each) or each.partition(".")[0] == LIBRARY for each in modules):
            return True
    return False


def _is_of_the_service(module: str) -> bool:
    return f"{module}.".startswith(f"{SERVICE}.")
