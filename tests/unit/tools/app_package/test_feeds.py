"""An app that is a feed: what its zip needs beside it, and what is told of its table."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.unit.tools.app_package.test_files import folder_of
from tools.app_package.errors import AppError
from tools.app_package.feeds import declaration, uses_service
from tools.app_package.files import app_files
from tools.package_zip import ROOT

JOBS = """
from lambdas.sse_streaming import FeedSchema, QueryParameter, feed

print("importing")
handler = feed(FeedSchema("job", "tenant", QueryParameter("tenant"), "time", "job_id"))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """As a zip is laid out, without the packages that the service imports when it is composed."""
    for package in ("lambda_streaming", "lambdas"):
        shutil.copytree(ROOT / "src" / package, tmp_path / package)
    return folder_of(tmp_path, **{"main.py": JOBS})


def test_its_table_is_told_as_the_app_declares_it(tree: Path) -> None:
    feed = declaration("main:handler", tree, sys.executable)
    assert (feed["event"], feed["partition"], feed["time"]) == ("job", "tenant", "time")


def test_its_import_leaves_nothing_in_the_zip(tree: Path) -> None:
    before = sorted(tree.rglob("*"))
    declaration("main:handler", tree, sys.executable)
    assert sorted(tree.rglob("*")) == before


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("handler = 1", "main:handler is a int and no feed"),
        ("import os\nhandler = os.environ['TABLE']", "KeyError: 'TABLE'\nLet the feed stand"),
        (f"import atexit\n{JOBS}\natexit.register(print, 'bye')", "stands in the way: "),
    ],
)
def test_why_a_declaration_cannot_be_read_is_told(source: str, said: str, tree: Path) -> None:
    folder_of(tree, **{"main.py": source})
    with pytest.raises(AppError, match=r"^APP=main:handler: its feed's") as caught:
        declaration("main:handler", tree, sys.executable)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("source", "uses"),
    [
        (JOBS, True),
        ("from lambdas.sse_streaming.feeds import schema", True),
        ("from lambdas import mine", False),
        ("from lambda_streaming import asgi", False),
    ],
)
def test_the_service_is_packed_where_it_is_imported(
    source: str, uses: bool, tmp_path: Path
) -> None:
    assert uses_service(app_files(folder_of(tmp_path, **{"api/feed.py": source}))) is uses
