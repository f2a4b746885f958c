"""The zip of somebody's own app runs: unpacked, behind awslambdaric, with nothing beside it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from local_aws.feed.sentiment import function
from tests.fakes.asgi import get
from tests.fakes.managed_runtime import managed_function
from tests.fakes.runtime_api import Exchange
from tests.terraform.terraform_cli import ROOT
from tests.unit.tools.app_package.test_files import folder_of
from tools import zip_manifest, zip_rules
from tools.app_package.build import AppPackage, Order, build
from tools.app_package.errors import AppError, RequirementError
from tools.app_package.report import describe
from tools.app_package.requirements import Target
from tools.interpreters import host_architecture
from tools.package_zip import DEFAULT_PYTHON as PYTHON

pytestmark = [pytest.mark.ci, pytest.mark.timeout(240)]

FEED_APP = """
from lambdas.sse_streaming import FeedSchema, QueryParameter, feed

handler = feed(FeedSchema("job", "tenant", QueryParameter("tenant"), "time", "job_id"))
"""
FASTAPI_APP = """
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()


@app.get("/health")
async def words() -> StreamingResponse:
    async def blocks():
        for word in ("one", "two", "three"):
            yield word

    return StreamingResponse(blocks(), media_type="text/plain")
"""
PLAIN_APP = """
from lambda_streaming import StreamingResponse, streaming

from words import WORDS


def answer(request):
    return StreamingResponse(iter(WORDS), headers={"content-type": "text/plain"})


handler = streaming(answer)
"""


def ordered(folder: Path | None, app: str, *extras: str, architecture: str | None = None) -> Order:
    architecture = architecture or host_architecture()
    platforms = zip_rules.platform_tags(architecture, PYTHON)
    return Order(app, folder, Target(PYTHON, architecture, platforms), extras)


def answer_of(built: AppPackage, runtime: Path, place: Path, **configured: str) -> Exchange:
    """What the function answers that is made of the zip and configured as its manifest says."""
    with zipfile.ZipFile(built.package.path) as archive:
        archive.extractall(place)
    manifest = json.loads(built.manifest.read_text(encoding="utf-8"))
    environ = {
        "PYTHONPATH": "",  # the task root, where awslambdaric starts, is all that it sees
        "AWS_LAMBDA_FUNCTION_NAME": "shop",
        "LAMBDA_TASK_ROOT": str(place),
        **manifest["environment"],
        **configured,
    }
    handler = manifest["handler"]
    with managed_function(place, handler, environ, python=runtime) as started:
        started.api.add(get("/health"))
        started.api.wait_until(lambda: len(started.api.polls()) == 2, 40)
        (answer,) = started.api.answers()
    return answer


def pin_of(distribution: str) -> str:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{distribution}=="))


def test_a_fastapi_app_streams_from_its_zip(
    tmp_path: Path, interpreter: str, runtime: Path
) -> None:
    files = {"main.py": FASTAPI_APP, "requirements.txt": pin_of("fastapi"), ".env": "KEY=s3cr3t"}
    folder = folder_of(tmp_path / "shop", **files)
    built = build(ordered(folder, "main:app", "tracing"), tmp_path / "shop.zip")

    answer = answer_of(built, runtime, tmp_path / "task")
    assert answer.prelude["statusCode"] == 200
    assert [data for _, data in answer.chunks[2:]] == [b"one", b"two", b"three"]

    names = set(zipfile.ZipFile(built.package.path).namelist())
    assert {
        "main.py",
        "__pycache__/main.cpython-313.pyc",
        "opentelemetry/sdk/trace/__init__.py",
    } <= (names)
    assert not names & {".env", "requirements.txt", "local_aws/__init__.py"}
    told = describe(built)
    assert "variable      STREAMING_APP=main:app" in told
    assert "may hold secrets: .env" in told
    assert "MB  pydantic_core" in told


def test_a_function_streams_from_a_zip_of_the_library_and_itself(
    tmp_path: Path, interpreter: str, runtime: Path
) -> None:
    files = {"main.py": PLAIN_APP, "words.py": "WORDS = 'one', 'two'"}
    folder = folder_of(tmp_path / "plain", **files)
    built = build(ordered(folder, "main:handler"), tmp_path / "plain.zip")

    answer = answer_of(built, runtime, tmp_path / "task")
    assert [data for _, data in answer.chunks[2:]] == [b"one", b"two"]
    names = zipfile.ZipFile(built.package.path).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        *("lambda_streaming", "main.py", "words.py", "__pycache__", zip_manifest.NAME)
    }
    again = build(ordered(folder, "main:handler"), tmp_path / "again.zip")
    assert again.package.path.read_bytes() == built.package.path.read_bytes()


def test_a_feed_is_packed_with_the_service_and_its_table_is_told(
    tmp_path: Path, interpreter: str, runtime: Path
) -> None:
    """The only import of an app that is tried: the declaration is a value that its code makes."""
    folder = folder_of(tmp_path / "jobs", **{"main.py": FEED_APP})
    order = replace(ordered(folder, "main:handler"), bytecode=False)
    built = build(order, tmp_path / "jobs.zip")

    feed = json.loads(built.manifest.read_text(encoding="utf-8"))["feed"]
    assert (feed["event"], feed["partition"], feed["index"]) == ("job", "tenant", "by_tenant")
    assert '"feed" in jobs.json' in describe(built)
    answer = answer_of(built, runtime, tmp_path / "task", **function.ENVIRONMENT)
    assert answer.prelude["statusCode"] == 200
    assert json.loads(answer.chunks[2][1])["status"] == "healthy"


def test_the_librarys_requirements_and_the_apps_are_told_apart(
    tmp_path: Path, interpreter: str
) -> None:
    main = "from lambda_streaming import streaming\nhandler = streaming(print)"
    folder = folder_of(
        tmp_path, **{"main.py": main, "requirements.txt": "opentelemetry-api==1.20.0"}
    )
    with pytest.raises(RequirementError, match=r"conflict with the library's:(.|\n)*~=1\.45"):
        build(ordered(folder, "main:handler", "tracing"), tmp_path / "x.zip")
    folder_of(tmp_path, **{"requirements.txt": "pywin32"})
    with pytest.raises(RequirementError, match=r"pywin32 has no wheel for Python 3\.13 on arm64"):
        build(ordered(folder, "main:handler", architecture="arm64"), tmp_path / "x.zip")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("lambda_streaming/sse.py", "", r"sse\.py would replace the file of that name in"),
        ("broken.py", "\nx = = 1", r"broken\.py, line 2 is no Python 3\.13: SyntaxError"),
        ("fast.so", "MZ", r"fast\.so is not compiled for"),
    ],
)
def test_what_would_fail_on_lambda_fails_here(
    name: str, content: str, said: str, tmp_path: Path, interpreter: str
) -> None:
    folder = folder_of(tmp_path, **{"main.py": PLAIN_APP, name: content})
    with pytest.raises((AppError, RequirementError), match=said):
        build(ordered(folder, "main:handler"), tmp_path / "x.zip")
