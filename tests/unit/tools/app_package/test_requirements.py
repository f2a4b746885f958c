"""What is required, and whose fault it is where that cannot be had. The texts are pip's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.tools.app_package.test_files import folder_of
from tools.app_package.errors import AppError
from tools.app_package.requirements import (
    Target,
    chosen_extras,
    explained,
    extras_of,
    requirements_of,
)
from tools.package_zip import ROOT

TARGET = Target("3.13", "arm64", ())
CONFLICT = """Collecting opentelemetry-api==1.20
ERROR: Cannot install lambda-streaming[tracing]==0.1.0 and opentelemetry-api==1.20 because …

The conflict is caused by:
    The user requested opentelemetry-api==1.20
    lambda-streaming[tracing] 0.1.0 depends on opentelemetry-api~=1.45

To fix this you could try to:
1. loosen the range of package versions you've specified
"""


def test_a_conflict_with_the_library_names_both_sides() -> None:
    said = str(explained(CONFLICT, TARGET, app_alone_resolves=True))
    assert said.startswith("The app's requirements conflict with the library's:\n")
    assert "requested opentelemetry-api==1.20\n    lambda-streaming[tracing] 0.1.0" in said
    assert said.endswith("Change requirements.txt, or the library's extras (EXTRAS=).")


def test_a_conflict_that_is_there_without_the_library_is_the_apps_own() -> None:
    said = str(explained(CONFLICT, TARGET, app_alone_resolves=False))
    assert said.startswith("The app's requirements conflict with each other:\n")
    assert said.endswith("Change requirements.txt.")


@pytest.mark.parametrize(
    ("pip_said", "told"),
    [
        (
            "ERROR: No matching distribution found for pywin32==3 (from -r x)",
            "pywin32==3 (from -r x) has no wheel for Python 3.13 on arm64 Linux, or does not exist",
        ),
        (
            "ERROR: In --require-hashes mode, all requirements must have their versions pinned",
            "requirements.txt pins by hash, and does not pin what the library requires",
        ),
        ("Collecting x\nERROR: Invalid requirement: 'x x'", "pip said:\n  ERROR: Invalid"),
    ],
)
def test_another_failure_is_told_with_what_to_do(pip_said: str, told: str) -> None:
    assert told in str(explained(pip_said, TARGET, app_alone_resolves=False))


def test_the_extras_are_the_librarys_without_that_of_the_local_stack() -> None:
    offered = extras_of(ROOT / "pyproject.toml")
    assert chosen_extras("wsgi, tracing", offered) == ("wsgi", "tracing")
    assert chosen_extras("", offered) == ()
    for unknown in ("local", "trace"):
        with pytest.raises(AppError, match=f"{unknown} is not one of tracing, wsgi, auth, jwks"):
            chosen_extras(unknown, offered)


def test_requirements_that_stand_in_pyproject_alone_are_not_passed_over(tmp_path: Path) -> None:
    assert requirements_of(tmp_path) is None
    folder_of(tmp_path, **{"pyproject.toml": "[project]\ndependencies = []"})
    assert requirements_of(tmp_path) is None
    folder_of(tmp_path, **{"pyproject.toml": "[project]\ndependencies = ['fastapi']"})
    with pytest.raises(AppError, match=r"there is no requirements.txt beside it. Write one: uv"):
        requirements_of(tmp_path)
    folder_of(tmp_path, **{"requirements.txt": "fastapi"})
    assert requirements_of(tmp_path) == tmp_path / "requirements.txt"
