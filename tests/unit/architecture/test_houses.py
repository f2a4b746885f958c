"""Which way imports point, and how high the houses are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.architecture.houses import (
    LIBRARY,
    LIBRARY_FILES,
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
MAX_FILES_IN_A_FOLDER = {LIBRARY: 17, SERVICE: 12}

houses = pytest.mark.parametrize("house", [LIBRARY, SERVICE], ids=lambda house: house.name)


@pytest.mark.parametrize("files", [LIBRARY_FILES, SERVICE_FILES], ids=["library", "service"])
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
        if (count := len(list(folder.glob("*.py")))) > MAX_FILES_IN_A_FOLDER[house]
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


def test_the_library_never_imports_the_service() -> None:
    importers = [
        module_of(path)
        for path in LIBRARY_FILES
        if any(name.split(".")[0] in {"lambdas", "local_aws"} for name in imports(path))
    ]

    assert importers == []
