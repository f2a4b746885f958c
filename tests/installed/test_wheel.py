"""What `pip install .` gives."""

from __future__ import annotations

import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lambda_streaming import __version__
from tests.installed.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
SERVICE = ROOT / "src" / "lambdas" / "sse_streaming"


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_it_holds_the_library_and_the_local_stack_and_not_the_service(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    packages = {name.split("/")[0] for name in names}
    sources = {
        str(path.relative_to(ROOT / "src"))
        for package in ("lambda_streaming", "local_aws")
        for path in (ROOT / "src" / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packages == {
        "lambda_streaming",
        "local_aws",
        f"lambda_streaming-{__version__}.dist-info",
    }
    assert sources <= names
    assert "lambda_streaming/py.typed" in sources
    assert f"lambda_streaming-{__version__}.dist-info/licenses/LICENSE" in names


def test_its_metadata_says_what_it_is(metadata: Message) -> None:
    assert metadata["Name"] == "lambda-streaming"
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"


def test_the_base_requires_nothing(metadata: Message) -> None:
    """Every requirement belongs to an extra."""
    required = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    assert required
    unconditional = [
        str(one) for one in required if one.marker is None or one.marker.evaluate({"extra": ""})
    ]
    assert unconditional == []
    assert set(metadata.get_all("Provides-Extra", [])) == set(EXTRAS)


@pytest.mark.parametrize("extra", ["tracing", "local"])
def test_what_is_tested_is_what_an_extra_allows(extra: str) -> None:
    """The pins that the tests and the zip use lie inside the ranges that users install."""
    lines = [
        line
        for file in (ROOT / "requirements.txt", SERVICE / "requirements.txt")
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    pinned = [Requirement(line.partition(" #")[0]) for line in lines if "==" in line]
    versions = {pin.name: next(iter(pin.specifier)).version for pin in pinned}
    wanted = [Requirement(line) for line in EXTRAS[extra]]
    outside = [
        str(one)
        for one in wanted
        if one.name != PROJECT["name"] and not one.specifier.contains(versions[one.name])
    ]
    assert len(wanted) >= 5
    assert outside == []
