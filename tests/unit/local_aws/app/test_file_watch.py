from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.app.file_watch import PythonFiles


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("main.py", "shop/cart.py", "notes.txt"):
        write(tmp_path / name, "1")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_changed_an_added_and_a_removed_file_are_noticed_once(project: Path) -> None:
    files = PythonFiles(project)
    assert files.changed() is None
    write(project / "shop/cart.py", "22")
    assert files.changed() == "shop/cart.py"
    assert files.changed() is None
    write(project / "shop/new.py", "1")
    assert files.changed() == "shop/new.py"
    (project / "main.py").unlink()
    assert files.changed() == "main.py"


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        ".venv/lib/a.py",
        "env/lib/a.py",
        "__pycache__/a.py",
        "node_modules/x/a.py",
    ],
)
def test_what_is_not_the_apps_source_does_not_count(project: Path, name: str) -> None:
    write(project / "env/pyvenv.cfg", "")
    files = PythonFiles(project)
    write(project / name, "another")
    assert files.changed() is None
