"""What `pip install .` gives."""

from __future__ import annotations

import sys
import tomllib
import zipfile
from collections.abc import Iterable
from email.message import Message
from email.parser import Parser
from importlib import metadata as installed
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lambda_streaming import __version__
from tests.installed.conftest import ROOT
from tools.cold_start_modules import imports_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
SERVICE = ROOT / "src" / "lambdas" / "sse_streaming"


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_it_holds_the_library_the_service_and_the_local_stack(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    packages = {name.split("/")[0] for name in names}
    sources = {
        str(path.relative_to(ROOT / "src"))
        for package in ("lambda_streaming", "lambdas", "local_aws")
        for path in (ROOT / "src" / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.stem != "requirements"
    }
    assert packages == {
        "lambda_streaming",
        "lambdas",
        "local_aws",
        f"lambda_streaming-{__version__}.dist-info",
    }
    assert sources <= names
    assert {"lambda_streaming/py.typed", "lambdas/sse_streaming/py.typed"} <= sources
    assert not [name for name in names if name.startswith("lambdas/") and "requirements" in name]
    assert "lambdas/__init__.py" not in names  # a namespace: the user's own `lambdas` may stay
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


def brought_by(extras: Iterable[str]) -> set[str]:
    """The distributions that pip would install for these, as far as they are installed here."""
    found: set[tuple[str, str]] = set()
    pending = [Requirement(line) for extra in extras for line in EXTRAS[extra]]
    while pending:
        wanted = pending.pop()
        name = canonicalize_name(wanted.name)
        if name == PROJECT["name"]:
            pending += [Requirement(line) for extra in wanted.extras for line in EXTRAS[extra]]
            continue
        for extra in {"", *wanted.extras} - {known for one, known in found if one == name}:
            found.add((name, extra))
            try:
                needed = map(Requirement, installed.requires(name) or ())
            except installed.PackageNotFoundError:
                continue
            pending += (
                one for one in needed if one.marker is None or one.marker.evaluate({"extra": extra})
            )
    return {name for name, _ in found}


OF_THE_MANAGED_RUNTIME = {"boto3"}
"""https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-dependencies"""


@pytest.mark.parametrize(
    ("package", "extras"),
    [
        ("lambda_streaming", EXTRAS.keys() - {"local"}),
        ("lambdas", {"feed"}),
        ("local_aws", {"local"}),
    ],
    ids=["library", "service", "local stack"],
)
def test_the_extras_bring_everything_that_is_imported(package: str, extras: set[str]) -> None:
    source = ROOT / "src"
    imported = {
        name.split(".")[0]
        for path in (source / package).rglob("*.py")
        for name in imports_of(
            path.read_text(encoding="utf-8"), ".".join(path.relative_to(source).parts[:-1])
        )
    }
    own = {"lambda_streaming", "lambdas", "local_aws"}
    foreign = imported - sys.stdlib_module_names - own - OF_THE_MANAGED_RUNTIME
    distributions = installed.packages_distributions()
    brought = brought_by(extras)
    missing = [
        name
        for name in sorted(foreign)
        if not brought & {canonicalize_name(each) for each in distributions.get(name, ())}
    ]
    assert foreign
    assert missing == []
