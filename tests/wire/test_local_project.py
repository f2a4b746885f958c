"""A project with requirements of its own, with the real pip, which needs no network here."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from local_aws.app.project import ProjectInstallError, install_project, run_program
from tests.fakes.virtual_time import run_in_real_time


def wheel(folder: Path) -> str:
    file = folder / "wanted-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("wanted.py", "IT = 'is here'")
        info = "wanted-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: wanted\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return str(file)


@pytest.mark.timeout(180)
def test_what_a_project_requires_can_be_imported_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "requirements.txt").write_text(wheel(tmp_path), encoding="utf-8")
    said: list[str] = []
    python = run_in_real_time(
        install_project(
            tmp_path / "requirements.txt", beside=(), build=tmp_path / "build", say=said.append
        )
    )
    found = subprocess.check_output([python, "-c", "import wanted; print(wanted.IT)"], text=True)
    assert found == "is here\n"
    assert len(said) == 1


def test_a_program_that_fails_is_quoted() -> None:
    with pytest.raises(ProjectInstallError, match="the reason"):
        run_in_real_time(run_program("/bin/sh", "-c", "echo the reason; exit 1"))
