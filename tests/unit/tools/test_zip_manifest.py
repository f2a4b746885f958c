"""A zip tells which runtime it is for, in a way that Terraform can read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import zip_manifest
from tools.package_zip import write_zip

# As in modules/lambda, over textdecodebase64(filebase64(path), "ISO-8859-1").
PATTERN = re.compile(
    r'\{"lambda_streaming_manifest":1,"architecture":"([a-z0-9_]+)","python":"([0-9.]+)"'
)


@pytest.mark.parametrize(("python", "architecture"), [("3.13", "arm64"), ("3.11", "x86_64")])
def test_it_is_read_from_the_zips_bytes_alone(
    python: str, architecture: str, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    zip_manifest.place(tree, python, architecture)
    (tree / "copy.json").write_text(zip_manifest.text("3.9", "mips"))

    package = write_zip(tree, tmp_path / "a.zip")

    found = PATTERN.findall(package.path.read_bytes().decode("latin-1"))
    assert found == [(architecture, python)]


def test_the_text_is_the_one_that_modules_expect() -> None:
    expected = '{"lambda_streaming_manifest":1,"architecture":"arm64","python":"3.13"}'
    assert zip_manifest.text("3.13", "arm64") == expected
