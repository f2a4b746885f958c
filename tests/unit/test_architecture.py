"""Rules of the code base that a reader may rely on, and no review has to remember."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
PACKAGE = SRC / "lambdas" / "sse_streaming"
FUNCTION_FILES = sorted(PACKAGE.rglob("*.py"))
LOCAL_FILES = sorted((SRC / "local_aws").rglob("*.py"))

LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"catch_up", "clock", "cursor", "errors", "runtime", "sse", "wake"}),
    frozenset({"tracing"}),
    frozenset({"settings", "request", "ending", "lease", "position_clock"}),
    frozenset({"routes", "answers", "aws"}),
    frozenset({"items", "connection", "metrics", "configurations"}),
    frozenset({"polling", "arrival"}),
    frozenset({"reading", "blocks"}),
    frozenset({"parts"}),
    frozenset({"poller"}),
    frozenset({"work"}),
    frozenset({"stream"}),
    frozenset({"handler"}),
    frozenset({"entrypoint"}),
)
"""Rooms of the function from the ground up: each imports from below, never from beside or above."""

files = pytest.mark.parametrize(
    "path", FUNCTION_FILES, ids=lambda path: str(path.relative_to(PACKAGE))
)
all_files = pytest.mark.parametrize(
    "path", FUNCTION_FILES + LOCAL_FILES, ids=lambda path: str(path.relative_to(SRC))
)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[str]:
    """Every module imported, wherever the import stands; `from a import b` gives `a` and `a.b`."""
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


def rooms(path: Path) -> set[str]:
    """The function's own rooms that a file imports from."""
    prefix = "lambdas.sse_streaming."
    return {
        name.removeprefix(prefix).split(".")[0] for name in imports(path) if name.startswith(prefix)
    } - {"__version__"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def decorators(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    yield from (ast.unparse(decorator) for decorator in node.decorator_list)


def names_used(path: Path) -> set[str]:
    """Names and attributes, but no words of comments and docstrings."""
    used = {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}
    return used | {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}


def texts_used(path: Path) -> set[str]:
    """String constants that are no docstrings."""
    documentation = {
        id(node.value)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return {
        node.value
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in documentation
    }


# Which way imports point


def test_every_room_has_its_layer() -> None:
    assert {room_of(path) for path in FUNCTION_FILES} - {"__init__"} == frozenset().union(*LAYERS)


@files
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        assert rooms(path) == set()
        return
    (level,) = (at for at, layer in enumerate(LAYERS) if room in layer)
    below = frozenset[str]().union(*LAYERS[:level])

    assert rooms(path) - {room} <= below


def test_the_runtime_knows_nothing_of_the_rest() -> None:
    for path in (PACKAGE / "runtime").rglob("*.py"):
        assert rooms(path) <= {"runtime"}
        assert not any(
            name.split(".")[0] in {"boto3", "botocore", "opentelemetry", "aws_xray_sdk"}
            or name.startswith("aws_lambda_powertools")
            for name in imports(path)
        ), "the loop serves any handler"


TRACING_FILES = [path for path in FUNCTION_FILES if path.is_relative_to(PACKAGE / "tracing")]


def test_tracing_knows_no_app() -> None:
    """No room of the service, and none of its names."""
    names = {"sse_", "SSE_", "dynamodb_poll", "connection_", "cloudwatch_put_metric"}
    for path in TRACING_FILES:
        assert rooms(path) <= {"tracing", "clock"}
        texts = {text for text in texts_used(path) if "sse_streaming" not in text}
        assert not {text for text in texts if any(name in text for name in names)}, path


def test_no_imports_go_round_in_circles_inside_tracing() -> None:
    """File by file; imports for type checkers count."""
    prefix = "lambdas.sse_streaming.tracing."
    files = {".".join(path.relative_to(SRC).with_suffix("").parts): path for path in TRACING_FILES}
    ahead = {
        name: {one for one in imports(path) if one in files and one.startswith(prefix)}
        for name, path in files.items()
    }
    while ahead:
        free = {name for name, needs in ahead.items() if not needs & set(ahead)}
        assert free, f"in a circle: {sorted(ahead)}"
        ahead = {name: needs for name, needs in ahead.items() if name not in free}


def test_no_folder_of_tracing_outgrows_a_reader() -> None:
    folders = {path.parent for path in TRACING_FILES}
    assert all(len(list(folder.glob("*.py"))) <= 12 for folder in folders)


def test_nothing_imports_the_entrypoint() -> None:
    """In Lambda its import never returns."""
    importers = [
        path.name
        for path in [*FUNCTION_FILES, *LOCAL_FILES, *sorted((ROOT / "tests").rglob("*.py"))]
        if any(name.startswith("lambdas.sse_streaming.entrypoint") for name in imports(path))
    ]

    assert importers == []


@files
def test_the_function_never_imports_the_local_stack_or_the_tests(path: Path) -> None:
    assert not any(name.split(".")[0] in {"local_aws", "tests", "moto"} for name in imports(path))


@pytest.mark.parametrize("name", ["sse.py", "cursor.py", "routes.py", "request.py", "polling.py"])
def test_the_pure_rooms_have_no_clock_no_network_and_no_environment(name: str) -> None:
    forbidden = {"time", "os", "socket", "asyncio", "threading", "random", "botocore", "boto3"}

    assert not {module.split(".")[0] for module in imports(PACKAGE / name)} & forbidden


# Tracing


@files
def test_no_asynchronous_generator_is_decorated_by_a_tracer(path: Path) -> None:
    """A tracer's decorator ends where the generator begins, or consumes it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.AsyncFunctionDef) and any(
            isinstance(inner, ast.Yield) for inner in ast.walk(node)
        ):
            assert not any(
                "trac" in decorator or "capture" in decorator or "span" in decorator
                for decorator in decorators(node)
            )


@files
def test_no_span_is_made_current_and_nothing_instruments_by_itself(path: Path) -> None:
    assert not names_used(path) & {
        "start_as_current_span",
        "use_span",
        "set_tracer_provider",
        "AsyncContext",
        "begin_segment",
        "begin_subsegment",
        "capture_method",
        "capture_async",
    }
    assert not any(name.startswith("opentelemetry.instrumentation") for name in imports(path))


def test_only_the_handler_is_captured_and_its_response_is_not() -> None:
    captured = [
        decorator
        for path in FUNCTION_FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in decorators(node)
        if "capture" in decorator
    ]

    assert captured == ["tracer.capture_lambda_handler(capture_response=False)"]


@files
def test_an_exec_wrapper_is_only_ever_refused(path: Path) -> None:
    uses = any("AWS_LAMBDA_EXEC_WRAPPER" in text for text in texts_used(path))

    assert uses is (path == PACKAGE / "tracing" / "settings.py")


# State


@all_files
def test_there_is_no_global_state(path: Path) -> None:
    assert not any(isinstance(node, ast.Global) for node in ast.walk(tree(path)))


@all_files
def test_no_client_is_made_by_an_import(path: Path) -> None:
    """Module-level clients cost every cold start and point every test at AWS."""
    forbidden = {"client", "resource", "create_client", "Session", "get_session"}
    for statement in tree(path).body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        called = {
            node.func.attr
            for node in ast.walk(statement)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert not called & forbidden


@files
def test_the_environment_is_read_where_the_process_begins(path: Path) -> None:
    """Everything else gets it passed in, so that a test can."""
    reads = bool(names_used(path) & {"environ", "getenv"}) and "os" in imports(path)

    assert reads <= (path.name == "entrypoint.py")


# Form


@all_files
def test_no_file_outgrows_a_reader(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@all_files
def test_every_file_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree(path))


@all_files
def test_no_room_is_named_after_nothing(path: Path) -> None:
    assert not re.search(r"util|helper|manager|common|misc", path.stem)


TICKETS = re.compile(
    r"\b(?:FR|NFR|SC|US|AC|REQ|JIRA|TASK|BUG|PROJ)-\d+\b|\b(?:FR|SC)\d+\b"
    r"|\bT\d{3}\b|\bTODO|\bFIXME"
)
LINT_CODES = re.compile(r"# noqa: [A-Z0-9, ]+")
MACHINE_PATHS = re.compile("/(?:work|root|home)" + r"/\w|/tmp/" + r"w\b")


@pytest.mark.parametrize("folder", ["src", "tests", "modules", "docs", "README.md", "Makefile"])
def test_nothing_points_to_a_ticket_or_to_one_machine(folder: str) -> None:
    """A reason that stands in another place is no reason here."""
    place = ROOT / folder
    candidates = [place] if place.is_file() else sorted(place.rglob("*"))
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in candidates
        if path.suffix in {".py", ".tf", ".hcl", ".md", ".html", ".js", ".css", ".txt", ""}
        and path.is_file()
        and path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if TICKETS.search(LINT_CODES.sub("", line)) or MACHINE_PATHS.search(line)
    ]

    assert found == []
