"""Rules of the code base that a reader may rely on, and no review has to remember."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.architecture.houses import (
    FUNCTION_FILES,
    LIBRARY,
    LOCAL_FILES,
    ROOT,
    SERVICE,
    SRC,
    imports,
    tree,
)

files = pytest.mark.parametrize("path", FUNCTION_FILES, ids=lambda path: str(path.relative_to(SRC)))
all_files = pytest.mark.parametrize(
    "path", FUNCTION_FILES + LOCAL_FILES, ids=lambda path: str(path.relative_to(SRC))
)


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


def test_no_source_imports_the_entrypoint() -> None:
    """It composes the service from everything else."""
    importers = [
        path.name
        for path in [*FUNCTION_FILES, *LOCAL_FILES]
        if any(name.startswith("lambdas.sse_streaming.entrypoint") for name in imports(path))
    ]

    assert importers == []


@files
def test_the_function_never_imports_the_local_stack_or_the_tests(path: Path) -> None:
    assert not any(name.split(".")[0] in {"local_aws", "tests", "moto"} for name in imports(path))


PURE = (
    LIBRARY / "sse.py",
    LIBRARY / "requests.py",
    LIBRARY / "responses.py",
    *sorted((LIBRARY / "doors").glob("*.py")),
    *sorted((SERVICE / "http").glob("*.py")),
    *(
        SERVICE / "feeds" / f"{name}.py"
        for name in ["schema", "request", "position", "feed", "resume", "catch_up"]
    ),
)


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(SRC)))
def test_the_pure_files_have_no_clock_no_network_and_no_environment(path: Path) -> None:
    forbidden = {"time", "os", "socket", "asyncio", "threading", "random", "botocore", "boto3"}

    assert not {module.split(".")[0] for module in imports(path)} & forbidden


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
    """But one provider for the spans of the app's own OpenTelemetry, where it has none."""
    allowed = {"set_tracer_provider"} if path.name == "app_spans.py" else set()
    assert not (names_used(path) - allowed) & {
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

    assert uses is (path == LIBRARY / "tracing" / "settings.py")


def test_tracing_knows_no_app() -> None:
    """A name of the service inside it would be a policy that no other app can change."""
    names = ("sse_", "SSE_", "dynamodb_poll", "connection_", "cloudwatch_put_metric")
    told = {
        (path.name, text)
        for path in (LIBRARY / "tracing").rglob("*.py")
        for text in texts_used(path)
        if any(name in text for name in names)
    }

    assert told == set()


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

    begins = (LIBRARY / "serving" / "process.py", LIBRARY / "handlers.py")
    assert reads <= (path in begins)


# Form


@all_files
def test_no_file_outgrows_a_reader(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 500


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


@pytest.mark.parametrize(
    "folder",
    [
        *("src", "tests", "tools", "modules", "docs", "Makefile"),
        *("README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"),
    ],
)
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
