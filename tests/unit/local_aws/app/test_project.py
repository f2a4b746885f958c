from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.app.project import ProjectInstallError, install_project
from tests.fakes.virtual_time import run_in_real_time


class Pip:
    """Notes what is run, and fails while it is told to."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, ...]] = []
        self.fails = False

    async def run(self, *argv: str) -> None:
        self._note(argv)

    def _note(self, argv: tuple[str, ...]) -> None:
        self.runs.append(argv)
        if "-m" in argv and "venv" in argv:
            Path(argv[-1]).mkdir(parents=True, exist_ok=True)
        elif self.fails:
            raise ProjectInstallError("no network")


@pytest.fixture
def pip() -> Pip:
    return Pip()


def install(project: Path, pip: Pip, *beside: str) -> Path:
    return run_in_real_time(
        install_project(
            project / "requirements.txt",
            beside=beside,
            build=project / "build",
            say=lambda _: None,
            run=pip.run,
        )
    )


def test_the_environment_is_made_once_for_the_same_requirements(tmp_path: Path, pip: Pip) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("fastapi", encoding="utf-8")
    python = install(tmp_path, pip, "lambda-streaming")
    made, installed = pip.runs
    assert made[1:3] == ("-m", "venv")
    assert installed[0] == str(python)
    assert installed[-3:] == ("lambda-streaming", "-r", str(requirements))
    assert install(tmp_path, pip, "lambda-streaming") == python
    assert len(pip.runs) == 2

    requirements.write_text("fastapi\nhttpx", encoding="utf-8")
    assert install(tmp_path, pip, "lambda-streaming") == python
    assert len(pip.runs) == 4


def test_what_failed_half_way_is_not_taken_for_installed(tmp_path: Path, pip: Pip) -> None:
    (tmp_path / "requirements.txt").write_text("fastapi", encoding="utf-8")
    pip.fails = True
    with pytest.raises(ProjectInstallError):
        install(tmp_path, pip)
    pip.fails = False
    install(tmp_path, pip)
    assert len(pip.runs) == 4


def test_projects_of_the_same_name_do_not_share_an_environment(tmp_path: Path, pip: Pip) -> None:
    pythons = set()
    for place in ("a", "b"):
        project = tmp_path / place / "chat"
        project.mkdir(parents=True)
        (project / "requirements.txt").touch()
        build = tmp_path / "build"
        pythons.add(
            run_in_real_time(
                install_project(
                    project / "requirements.txt",
                    beside=(),
                    build=build,
                    say=lambda _: None,
                    run=pip.run,
                )
            )
        )
    assert len(pythons) == 2
