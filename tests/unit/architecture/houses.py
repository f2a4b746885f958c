"""The source as a graph: files, rooms (the first-level names of a package), and who imports whom.

Imports count wherever they stand, under TYPE_CHECKING and inside functions too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SRC = ROOT / "src"
LIBRARY = SRC / "lambda_streaming"
SERVICE = SRC / "lambdas" / "sse_streaming"
LOCAL = SRC / "local_aws"

LIBRARY_FILES = sorted(LIBRARY.rglob("*.py"))
SERVICE_FILES = sorted(SERVICE.rglob("*.py"))
FUNCTION_FILES = [*LIBRARY_FILES, *SERVICE_FILES]
LOCAL_FILES = sorted(LOCAL.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module imported; `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(path, node)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    package = path.relative_to(SRC).parts[: -node.level]
    return ".".join((*package, *([node.module] if node.module else [])))


def file_imports(files: list[Path]) -> dict[Path, set[Path]]:
    """Which of these files each of them imports. A package's own name counts as its `__init__`
    only where that is what is imported from."""
    by_module = {module_of(path): path for path in files}
    return {
        path: {by_module[name] for name in imports(path) if name in by_module} - {path}
        for path in files
    }


def room_of(path: Path, house: Path) -> str:
    return path.relative_to(house).parts[0].removesuffix(".py")


def room_imports(house: Path) -> dict[str, set[str]]:
    """Which rooms of a house each of its rooms imports from; `__init__` is none."""
    files = sorted(house.rglob("*.py"))
    rooms: dict[str, set[str]] = {room_of(path, house): set() for path in files}
    for path, others in file_imports(files).items():
        rooms[room_of(path, house)] |= {room_of(other, house) for other in others}
    return {
        room: others - {room, "__init__"} for room, others in rooms.items() if room != "__init__"
    }


def circles(graph: Mapping[Path, set[Path]]) -> list[list[str]]:
    """Every group of files that import each other, directly or around (Tarjan's algorithm)."""
    order: dict[Path, int] = {}
    low: dict[Path, int] = {}
    stack: list[Path] = []
    found: list[list[str]] = []

    def visit(node: Path) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in graph[node]:
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            group: list[Path] = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(str(path.relative_to(SRC)) for path in group))

    for node in graph:
        if node not in order:
            visit(node)
    return found


def floors(rooms: Mapping[str, set[str]]) -> dict[str, int]:
    """The floor of each room: 1 where nothing is imported, else one above the highest import."""

    @cache
    def floor(room: str) -> int:
        return 1 + max((floor(other) for other in rooms[room]), default=0)

    return {room: floor(room) for room in rooms}
