"""Which way imports point, and how high the houses are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.architecture.houses import (
    LIBRARY,
    LIBRARY_FILES,
    LOCAL,
    LOCAL_FILES,
    SERVICE,
    SERVICE_FILES,
    SRC,
    circles,
    file_imports,
    floors,
    imports,
    module_of,
    room_imports,
)

MAX_FLOORS = 6
MAX_FILES_IN_A_FOLDER = 12

houses = pytest.mark.parametrize(
    "house", [LIBRARY, SERVICE, LOCAL], ids=["library", "service", "local stack"]
)


@pytest.mark.parametrize(
    "files",
    [[*LIBRARY_FILES, *SERVICE_FILES], LOCAL_FILES],
    ids=["library and service", "local stack"],
)
def test_no_files_import_each_other_in_a_circle(files: list[Path]) -> None:
    assert circles(file_imports(files)) == []


@houses
def test_a_house_has_few_floors(house: Path) -> None:
    heights = floors(room_imports(house))

    assert max(heights.values()) <= MAX_FLOORS, heights


@houses
def test_a_folder_is_seen_at_one_look(house: Path) -> None:
    crowded = {
        str(folder.relative_to(SRC)): count
        for folder in [house, *(path for path in house.rglob("*") if path.is_dir())]
        if (count := len(list(folder.glob("*.py")))) > MAX_FILES_IN_A_FOLDER
    }

    assert crowded == {}


STANDARD_LIBRARY_ONLY = ("runtime", "doors", "bridge", "sse.py", "requests.py", "responses.py")


@pytest.mark.parametrize("room", STANDARD_LIBRARY_ONLY)
def test_the_base_needs_nothing_but_the_standard_library(room: str) -> None:
    foreign = {
        "boto3",
        "botocore",
        "opentelemetry",
        "aws_xray_sdk",
        "aws_lambda_powertools",
        "lambdas",
        "local_aws",
    }
    for path in LIBRARY_FILES:
        if path.relative_to(LIBRARY).parts[0] == room:
            assert not {name.split(".")[0] for name in imports(path)} & foreign, module_of(path)


def test_the_runtime_knows_only_what_is_asked_and_answered() -> None:
    known = {
        name.split(".")[1]
        for path in (LIBRARY / "runtime").glob("*.py")
        for name in imports(path)
        if name.startswith("lambda_streaming.")
    }

    assert known <= {"runtime", "requests", "responses", "version", "concurrency"}


def test_the_bridge_knows_no_front_door_and_no_tracing() -> None:
    known = {
        name.split(".")[1]
        for path in (LIBRARY / "bridge").glob("*.py")
        for name in imports(path)
        if name.startswith("lambda_streaming.")
    }

    below = {"runtime", "requests", "responses", "failure_answers", "durations", "concurrency"}
    assert known <= {"bridge", *below}


def test_only_one_file_knows_a2wsgi() -> None:
    assert [path.name for path in LIBRARY_FILES if "a2wsgi" in imports(path)] == ["wsgi.py"]


def test_the_library_never_imports_the_service() -> None:
    importers = [
        module_of(path)
        for path in LIBRARY_FILES
        if any(name.split(".")[0] in {"lambdas", "local_aws"} for name in imports(path))
    ]

    assert importers == []


KNOWS_FEEDS = {
    *("__main__.py", "background.py", "commands.py", "settings.py", "stack.py"),
    *("state_file.py", "feed_of_app.py", "console/app.py", "traces/xray/limits.py"),
}
KNOWS_THE_SENTIMENT = {
    *("__main__.py", "background.py", "commands.py", "settings.py", "stack.py"),
}


@pytest.mark.parametrize(
    ("room", "expected"), [("feed", KNOWS_FEEDS), ("feed.sentiment", KNOWS_THE_SENTIMENT)]
)
def test_few_files_of_the_local_stack_know_the_service_that_it_runs(
    room: str, expected: set[str]
) -> None:
    """What it knows of it stands in one room, and what is the sentiment feed's alone in a room of
    that, so that it can run another feed, or another app."""
    knowing = {
        str(path.relative_to(LOCAL))
        for path in LOCAL_FILES
        if any(name.startswith(f"local_aws.{room}.") for name in imports(path))
        and path.relative_to(LOCAL).parts[0] != "feed"
    }

    assert knowing == expected


def test_what_is_known_of_the_service_needs_nothing_of_the_stack() -> None:
    for path in sorted((LOCAL / "feed").rglob("*.py")):
        used = {name for name in imports(path) if name.startswith("local_aws")}
        assert all(name.startswith("local_aws.feed") for name in used), module_of(path)


def test_a_feed_is_known_without_the_sentiments() -> None:
    for path in sorted((LOCAL / "feed").glob("*.py")):
        assert not any(name.startswith("local_aws.feed.sentiment") for name in imports(path))
