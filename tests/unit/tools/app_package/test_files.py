"""What of an app's folder goes into its zip."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from tools.app_package.files import Reason, app_files, reason_for_file

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMII\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMII\n"


def folder_of(place: Path, **contents: str) -> Path:
    for name, content in contents.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return place


def kept(folder: Path) -> list[str]:
    return [str(path) for path in app_files(folder).kept]


def test_code_and_data_are_kept(tmp_path: Path) -> None:
    names = ["main.py", "api/__init__.py", "prompts/system.md", "static/.well-known/x.json"]
    assert kept(folder_of(tmp_path, **dict.fromkeys(names, ""))) == sorted(names)


def test_what_is_left_out_is_told_with_its_reason(tmp_path: Path) -> None:
    left_out = {
        ".env": Reason.SECRET,
        "server.pem": Reason.SECRET,
        "terraform.tfstate": Reason.SECRET,
        "api/tests/test_a.py": Reason.TESTS,
        "test_main.py": Reason.TESTS,
        "conftest.py": Reason.TESTS,
        "env/pyvenv.cfg": Reason.ENVIRONMENT,
        ".git/config": Reason.HIDDEN,
        ".gitignore": Reason.HIDDEN,
        "build/old.zip": Reason.BUILT,
        "page/node_modules/x.js": Reason.BUILT,
        "requirements-dev.txt": Reason.REQUIREMENTS,
    }
    files = app_files(folder_of(tmp_path, **{**dict.fromkeys(left_out, KEY), "main.py": ""}))

    assert files.kept == (PurePosixPath("main.py"),)
    told = {name: reason for reason, names in files.left_out.items() for name in names}
    for name, reason in left_out.items():
        assert reason in (told.get(name), *(told.get(f"{parent}/") for parent in parents(name)))


def parents(name: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(name).parents]


@pytest.mark.parametrize(
    "name", [".env.production", "prod.env", "id_rsa", "credentials.json", "secrets.toml", "a.p12"]
)
def test_a_file_that_is_called_like_a_secret_is_left_out(name: str) -> None:
    assert reason_for_file(PurePosixPath("config", name)) is Reason.SECRET


@pytest.mark.parametrize("name", ["secrets.py", "environment.json", "keys.md", "latest.py"])
def test_a_name_that_only_resembles_one_is_kept(name: str) -> None:
    assert reason_for_file(PurePosixPath(name)) is None


def test_a_certificate_is_no_secret_and_a_private_key_is_one_by_any_name(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, **{"ca.pem": CERTIFICATE, "server.txt": CERTIFICATE + KEY})
    assert kept(folder) == ["ca.pem"]


def test_code_with_a_key_in_it_is_kept_and_told(tmp_path: Path) -> None:
    files = app_files(folder_of(tmp_path, **{"main.py": f"KEY = '{'AKIA' + 'B' * 16}'"}))
    assert files.kept == files.with_secrets == (PurePosixPath("main.py"),)


def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "app", **{"main.py": "", "data/one.txt": ""})
    (tmp_path / "outside.txt").write_text("x", encoding="utf-8")
    (folder / "outside.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "two.txt").symlink_to(folder / "data/one.txt")
    (folder / "again").symlink_to(folder / "data")

    files = app_files(folder)
    assert [str(path) for path in files.kept] == ["data/one.txt", "main.py", "two.txt"]
    assert files.left_out == {Reason.LINK: ("again/", "outside.txt")}


def test_a_package_called_build_is_code(tmp_path: Path) -> None:
    assert kept(folder_of(tmp_path, **{"build/__init__.py": "", "dist/x.js": ""})) == [
        "build/__init__.py"
    ]


def test_of_a_package_only_its_own_files_are_taken(tmp_path: Path) -> None:
    folder_of(tmp_path, **{"examples/chat/app.py": "", "examples/other/app.py": "", "main.py": ""})
    files = app_files(tmp_path, below="examples/chat")
    assert files.modules == {"examples.chat.app": PurePosixPath("examples/chat/app.py")}
