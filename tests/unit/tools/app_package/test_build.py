"""What is packed of packages, and what the builder is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from tests.unit.tools.app_package.test_files import folder_of
from tools.app_package.__main__ import main
from tools.app_package.build import AppPackage, dependency_belongs, imports_left_out
from tools.app_package.files import app_files
from tools.app_package.handler import HandlerSetting
from tools.app_package.report import describe, is_too_large
from tools.app_package.requirements import Target
from tools.package_zip import Package

MB = 1024 * 1024


def built(folder: Path, *, zipped_mb: int = 1, unzipped_mb: int = 2) -> AppPackage:
    output = folder / "app.zip"
    parts = Counter({"numpy": MB})
    return AppPackage(
        package=Package(output, 3, zipped_mb * MB, unzipped_mb * MB, 0, "d1ge57", parts),
        manifest=output.with_suffix(".json"),
        setting=HandlerSetting("main.handler"),
        target=Target("3.13", "arm64", ()),
        files=app_files(folder),
        unzipped_parts=Counter({"numpy": 3 * MB}),
        has_requirements=True,
        imports_left_out=(),
        markers_read_by=None,
    )


@pytest.mark.parametrize(
    ("path", "belongs"),
    [
        ("requests/sessions.py", True),
        ("numpy/tests/data.npy", True),
        ("botocore/data/s3/2006-03-01/service-2.json.gz", True),
        ("opentelemetry_api-1.45.2.dist-info/entry_points.txt", True),
        ("shop-1.dist-info/direct_url.json", False),
        ("numpy/__init__.pyi", False),
        ("bin/uvicorn", False),
        ("playwright/driver/bin/node", True),
        ("local_aws/stack.py", False),
    ],
)
def test_of_a_package_what_a_function_cannot_use_is_left_out(path: str, belongs: bool) -> None:
    """Which of its parts an app uses nobody can tell."""
    assert dependency_belongs(PurePosixPath(path)) is belongs


def test_an_import_of_what_was_left_out_is_noticed(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        **{
            "main.py": "import testing\ndef f():\n    from tests.data import x",
            "api/__init__.py": "from .test_models import y",
            "tests/data.py": "x = 1",
            "api/test_models.py": "",
            "testing.py": "",
        },
    )
    assert imports_left_out(app_files(tmp_path)) == [
        (PurePosixPath("api/__init__.py"), "api.test_models"),
        (PurePosixPath("main.py"), "tests"),
    ]


def test_sizes_are_told_against_lambdas_limits(tmp_path: Path) -> None:
    fits = describe(built(tmp_path))
    assert "1.0 MB zipped of 50.0 MB that can be uploaded directly" in fits
    assert "2.0 MB unzipped of 250.0 MB" in fits
    assert "1.0 MB      3.0 MB  numpy" in fits
    assert "S3" not in fits
    assert "Upload it through S3" in describe(built(tmp_path, zipped_mb=51))
    assert not is_too_large(built(tmp_path, unzipped_mb=250))
    large = built(tmp_path, unzipped_mb=251)
    assert is_too_large(large)
    assert "Lambda refuses it" in describe(large)
    assert "Lambda refuses it" not in describe(large, for_image=True)
    assert "an image may have 10 GB" in describe(large, for_image=True)


@pytest.mark.parametrize(("arguments", "status"), [((), 1), (("--for-image",), 0)])
def test_what_is_too_large_for_a_zip_is_packed_for_an_image(
    arguments: tuple[str, ...], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = built(tmp_path, unzipped_mb=251)
    monkeypatch.setattr("tools.app_package.__main__.build", lambda order, output: large)
    assert main(["main:app", "--folder", str(tmp_path), *arguments]) == status


def test_what_the_author_should_know_is_told(tmp_path: Path) -> None:
    told = describe(
        replace(
            built(tmp_path),
            setting=HandlerSetting("main.handler", is_guessed=True),
            has_requirements=False,
            imports_left_out=[(PurePosixPath("main.py"), "tests")],
            markers_read_by="3.11",
        )
    )
    assert "main.py imports tests, which was left out as a test" in told
    assert "there is no requirements.txt" in told
    assert "Python 3.11 judged which requirements apply to Python 3.13" in told
    assert "set STREAMING_APP=main:handler" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["main:handler"], "APP=main:handler: give its folder too, APP_DIR=../my-project"),
        (["main:handler", "--folder", "/nowhere"], "APP_DIR=/nowhere: there is no such folder"),
        (["main:handler", "--extras", "all"], "EXTRAS=all: all is not one of"),
        (["main"], "APP=main: give module:attribute"),
    ],
)
def test_the_command_says_what_it_cannot_use(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith(said)
