"""Version, licence and support are said once, and everywhere the same."""

from __future__ import annotations

import re
import tomllib

import lambda_streaming
from lambda_streaming import __version__
from lambdas import sse_streaming
from tests.unit.documentation.pages import ROOT, rows_of, section_of, text_of

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, BUILD = PYPROJECT["project"], PYPROJECT["tool"]["hatch"]


def test_the_newest_release_of_the_changelog_is_the_projects_version() -> None:
    headings = re.findall(r"^## \[(.+?)\](.*)$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    version, date = headings[1]
    assert re.fullmatch(r" - \d{4}-\d\d-\d\d", date)
    assert version == __version__


def test_the_version_stands_in_one_place() -> None:
    """The build reads it there; nothing else writes one down."""
    assert "version" in PROJECT["dynamic"]
    place = ROOT / BUILD["version"]["path"]
    stated = f'"{__version__}"'
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]
    assert [path for path in sources if stated in path.read_text(encoding="utf-8")] == [place]
    assert sse_streaming.__version__ is lambda_streaming.__version__


def test_the_changelogs_headings_are_those_of_its_form() -> None:
    kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    coming = re.findall(r"^### (.+)$", section_of("CHANGELOG.md", "## [Unreleased]"), re.MULTILINE)
    assert coming == kinds
    assert set(re.findall(r"^### (.+)$", text_of("CHANGELOG.md"), re.MULTILINE)) <= set(kinds)


def test_the_licence_is_named_by_its_spdx_identifier() -> None:
    identifier = re.search(r"SPDX-License-Identifier: (\S+)", text_of("LICENSE"))
    assert identifier is not None
    assert identifier[1] == PROJECT["license"]
    assert PROJECT["license-files"] == ["LICENSE"]


def test_the_supported_version_is_the_newest_minor_one() -> None:
    minor = __version__.rpartition(".")[0]
    assert rows_of(text_of("SECURITY.md"), "version") == [(f"{minor}.x", "yes")]
