from __future__ import annotations

import asyncio
import subprocess
import zipfile
from pathlib import Path

import pytest

from local_aws.app.project import ProjectInstallError, install_project


def wheel(folder: Path) -> str:
    """A package as pip takes it without a network."""
    file = folder / "wanted-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("wanted.py", "IT = 'is here'")
        info = "wanted-1.0.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: wanted\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return str(file)


def install(project: Path, build: Path, *beside: str, said: list[str] | None = None) -> Path:
    requirements = project / "requirements.txt"
    say = (said if said is not None else []).append
    return asyncio.run(install_project(requirements, beside=beside, build=build, say=say))


def test_a_project_has_an_environment_that_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "requirements.txt").write_text(wheel(tmp_path), encoding="utf-8")
    said: list[str] = []
    python = install(tmp_path, tmp_path / "build", said=said)
    assert install(tmp_path, tmp_path / "build", said=said) == python
    assert len(said) == 1
    found = subprocess.check_output([python, "-c", "import wanted; print(wanted.IT)"], text=True)
    assert found == "is here\n"

    (tmp_path / "requirements.txt").write_text("no-such-package", encoding="utf-8")
    with pytest.raises(ProjectInstallError, match="no-such-package"):
        install(tmp_path, tmp_path / "build")
    (tmp_path / "requirements.txt").write_text(wheel(tmp_path), encoding="utf-8")
    install(tmp_path, tmp_path / "build", said=said)
    assert len(said) == 2, "what failed half-way is not taken for installed"
