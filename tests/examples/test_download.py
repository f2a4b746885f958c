"""The downloads, asked through Starlette's own client, the Function URL, a REST API and uvicorn."""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from fastapi import FastAPI
from starlette.testclient import TestClient

from examples.download import local_bucket
from local_aws.app.env_file import parse_env_file
from local_aws.background import BackgroundStack
from local_aws.settings import REPOSITORY_ROOT
from tests.examples.ways import Way, in_process, served, way_to, why_it_does_not_start
from tests.fakes.events import function_url_event, http_api_event
from tests.fakes.local import WAIT_SECONDS, wait_until
from tests.fakes.s3 import CREDENTIALS, HeldObject, LocalS3, denied, local_s3

BUCKET = "datasets"
LAMBDAS_BUFFERED_LIMIT_BYTES = 6 * 1024 * 1024

SMALL = (
    "entity,name,organisation-entity\r\n"
    '1,"A, with ""quotes""",org-1\r\n'
    "2,B,org-2\r\n"
    '3,"two\nlines",org-1\r\n'
)
OF_ORG_1 = (
    'entity,name,organisation-entity\r\n1,"A, with ""quotes""",org-1\r\n3,"two\nlines",org-1\r\n'
)


def large(bytes_at_least: int) -> bytes:
    rows = bytes_at_least // 100 + 1
    return b"entity,organisation-entity,note\n" + b"".join(
        b"%08d,org-%d,%s\n" % (number, number % 2, b"x" * 86) for number in range(rows)
    )


@pytest.fixture(scope="module")
def s3() -> Iterator[LocalS3]:
    with local_s3() as running:
        running.put(BUCKET, "test-dataset.csv", SMALL.encode())
        running.put(BUCKET, "large.csv", large(LAMBDAS_BUFFERED_LIMIT_BYTES + 1))
        yield running


def env_file(folder: Path, s3: LocalS3, **more: str) -> str:
    """As the example's own local.env."""
    path = folder / "variables.env"
    variables = {"DATASET_BUCKET": BUCKET, **s3.environ, **more}
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    return str(path)


@pytest.fixture(scope="module")
def stack(s3: LocalS3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackgroundStack]:
    variables = env_file(tmp_path_factory.mktemp("stack"), s3)
    with served("examples.download.app:handler", ENV_FILE=variables) as running:
        yield running


@pytest.fixture
def make_app(s3: LocalS3, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FastAPI]:
    """`create_app` with these settings, where the variables are set before the import."""
    for name, value in {**CREDENTIALS, **s3.environ, "DATASET_BUCKET": BUCKET}.items():
        monkeypatch.setenv(name, value)
    main = importlib.import_module("examples.download.application.main")
    settings = importlib.import_module("examples.download.application.api.dependencies").Settings

    def make(**given: Any) -> FastAPI:
        app: FastAPI = main.create_app(settings(**given))
        return app

    return make


@pytest.fixture
def in_process_way(make_app: Callable[..., FastAPI]) -> Iterator[Way]:
    with in_process(make_app()) as opened:
        yield opened


def test_it_is_healthy(way: Way) -> None:
    answer = way.client.get("/health")

    assert answer.status_code == 200
    assert answer.json() == {"status": "healthy", "service": "download-lambda"}


def test_a_dataset_is_csv_and_no_charset_is_added(way: Way) -> None:
    answer = way.client.get("/test-dataset.csv")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv"
    assert answer.text == SMALL


def test_only_the_rows_of_an_organisation_are_sent(way: Way) -> None:
    answer = way.client.get("/test-dataset.csv", params={"organisation-entity": "org-1"})

    assert answer.text == OF_ORG_1
    assert answer.headers["content-type"] == "text/csv"


def test_an_organisation_without_rows_gets_the_header(way: Way) -> None:
    answer = way.client.get("/test-dataset.csv", params={"organisation-entity": "org-9"})

    assert answer.text == "entity,name,organisation-entity\r\n"


def test_more_than_a_buffered_answer_holds_is_streamed(way: Way) -> None:
    answer = way.client.get("/large.csv")

    assert len(answer.content) > LAMBDAS_BUFFERED_LIMIT_BYTES
    filtered = way.client.get("/large.csv", params={"organisation-entity": "org-1"})
    rows = list(csv.DictReader(io.StringIO(filtered.text)))
    assert len(rows) == answer.content.count(b",org-1,")
    assert {row["organisation-entity"] for row in rows} == {"org-1"}


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/missing.csv", 404, "there is no dataset missing"),
        ("/test-dataset.json", 404, "there is no json, only csv"),
        ("/openapi.json", 404, "there is no json"),
        ("/docs", 404, "Not Found"),
        ("/redoc", 404, "Not Found"),
        ("/No%20Name.csv", 422, "path"),
        ("/no-column.csv?organisation-entity=org-1", 400, "no column organisation-entity"),
    ],
)
def test_a_refusal_has_its_own_status(
    way: Way, s3: LocalS3, path: str, status: int, says: str
) -> None:
    s3.put(BUCKET, "no-column.csv", b"entity,name\n1,a\n")

    answer = way.client.get(path)

    assert answer.status_code == status
    assert says in answer.text


def test_pages_of_every_origin_may_read_it_and_no_more(way: Way) -> None:
    origin = {"origin": "https://anywhere.example"}
    asked = {**origin, "access-control-request-method": "DELETE"}

    assert way.client.get("/health", headers=origin).headers["access-control-allow-origin"] == "*"
    assert way.client.options("/health", headers=asked).status_code == 400
    asked["access-control-request-method"] = "GET"
    preflight = way.client.options("/health", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-methods"] == "GET"


def test_documentation_is_there_in_development(make_app: Callable[..., FastAPI]) -> None:
    client = TestClient(make_app(environment="development"))

    assert client.get("/docs").status_code == 200
    assert "/{dataset}.{extension}" in client.get("/openapi.json").json()["paths"]


def test_the_first_rows_leave_while_s3_holds_the_others_back(
    s3: LocalS3, stack: BackgroundStack
) -> None:
    content = large(200_000)
    held = HeldObject(content[:100_000], content[100_000:])
    s3.answers[f"/{BUCKET}/held.csv"] = held

    with (
        way_to(stack, "function_url") as way,
        way.client.stream("GET", "/held.csv?organisation-entity=org-1") as answer,
    ):
        chunks = answer.iter_bytes()
        first = next(chunks)
        is_held = not held.may_go_on.is_set()
        held.may_go_on.set()
        rest = b"".join(chunks)

    assert is_held
    assert first.startswith(b"entity,organisation-entity,note\r\n00000001,org-1,")
    assert (first + rest).count(b",org-1,") == content.count(b",org-1,")


def test_the_memory_that_a_download_takes_does_not_grow_with_it(
    make_app: Callable[..., FastAPI],
) -> None:
    """Of 32 MB that S3 makes as they are read."""
    dependencies = importlib.import_module("examples.download.application.api.dependencies")
    head, block = b"organisation-entity,note\n", b"org-1,%s\n" % (b"x" * 1017)

    class Body(io.RawIOBase):
        left = 32 * 1024

        def read(self, size: int = -1) -> bytes:
            count = min(self.left, size // len(block))
            begins = self.left == 32 * 1024
            self.left -= count
            return (head if begins else b"") + block * count

    rows = dependencies.Dataset(Body()).rows_with("organisation-entity", "org-1")
    tracemalloc.start()
    try:
        sent = sum(map(len, rows))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert sent > 32_000_000
    assert peak_bytes < 2_000_000


@pytest.mark.parametrize("block_bytes", [1, 2, 7, 64])
def test_rows_are_whole_wherever_s3s_blocks_end(
    make_app: Callable[..., FastAPI], monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    dependencies = importlib.import_module("examples.download.application.api.dependencies")
    monkeypatch.setattr(dependencies, "_BLOCK_BYTES", block_bytes)
    content = '\ufefforganisation-entity,note\r\nä,"x\r\n\r\n""y"""\r\nb,z\r\nä,'

    rows = dependencies.Dataset(io.BytesIO(content.encode())).rows_with("organisation-entity", "ä")

    wanted = 'organisation-entity,note\r\nä,"x\r\n\r\n""y"""\r\nä,\r\n'
    assert b"".join(rows).decode() == wanted


def test_a_quote_that_is_never_closed_ends_the_download(
    make_app: Callable[..., FastAPI],
) -> None:
    """Instead of holding the rest of the file in memory, and counting its quotes again and again.
    Rows before it have left."""
    dependencies = importlib.import_module("examples.download.application.api.dependencies")
    content = b'organisation-entity,note\nb,y\nb,12" pipe\n' + b"b,x\n" * 2_000_000
    body = io.BytesIO(content)

    rows = dependencies.Dataset(body).rows_with("organisation-entity", "b")

    assert next(rows) == b"organisation-entity,note\r\nb,y\r\n"
    with pytest.raises(dependencies.EndlessRow):
        next(rows)
    assert body.closed


def test_what_s3_denies_is_no_missing_dataset(
    s3: LocalS3, make_app: Callable[..., FastAPI]
) -> None:
    """A 404 would hide a wrong policy."""
    s3.answers[f"/{BUCKET}/denied.csv"] = denied

    with pytest.raises(ClientError, match="AccessDenied"):
        TestClient(make_app()).get("/denied.csv")


def test_a_door_that_cannot_stream_answers_what_fits(make_app: Callable[..., FastAPI]) -> None:
    make_app()
    handler = importlib.import_module("examples.download.app").handler

    small = handler(http_api_event("GET", "/test-dataset.csv", "organisation-entity=org-1"))

    assert (small["statusCode"], small["body"]) == (200, OF_ORG_1)
    assert handler(http_api_event("GET", "/large.csv"))["statusCode"] == 500


def test_the_bucket_on_this_computer_is_where_the_function_looks(way: Way, s3: LocalS3) -> None:
    """`local.env` and `local_bucket.py`, which the README starts."""
    text = (REPOSITORY_ROOT / "examples" / "download" / "local.env").read_text(encoding="utf-8")
    variables = parse_env_file(text)
    local_bucket.fill(s3.url, 30)

    found = way.client.get(f"/{local_bucket.DATASET}.csv", params={"organisation-entity": "org-3"})

    assert [row["entity"] for row in csv.DictReader(io.StringIO(found.text))] == ["3", "13", "23"]
    assert variables["DATASET_BUCKET"] == local_bucket.BUCKET
    assert variables["AWS_ENDPOINT_URL_S3"] == f"http://{local_bucket.HOST}:{local_bucket.PORT}"


def test_a_missing_bucket_fails_the_init_with_its_variables_name() -> None:
    assert "DATASET_BUCKET\n  Field required" in why_it_does_not_start(
        "examples.download.app:handler"
    )


def test_the_handler_reads_events_of_a_function_url_in_plain_python(
    make_app: Callable[..., FastAPI],
) -> None:
    make_app()
    handler = importlib.import_module("examples.download.app").handler

    answer = handler(function_url_event("GET", "/health"))

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["service"] == "download-lambda"


def test_a_request_leaves_a_line_in_the_log(stack: BackgroundStack) -> None:
    with way_to(stack, "function_url") as way:
        request_id = way.client.get("/health").headers["x-amzn-requestid"]

    def lines() -> list[str]:
        return [line for line in stack.function_log() if request_id in line]

    wait_until(lines, "the line is written")
    said = json.loads(lines()[0])["message"]
    assert (said["method"], said["path"], said["status"]) == ("GET", "/health", 200)


@contextmanager
def under_uvicorn(s3: LocalS3) -> Iterator[str]:
    """The README's command, on a free port: its address."""
    command = [sys.executable, "-m", "uvicorn", "application.main:app", "--port", "0"]
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY_ROOT / "examples" / "download",
        env={**os.environ, **CREDENTIALS, **s3.environ, "DATASET_BUCKET": BUCKET},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "running on" in line)
        yield said.partition("running on ")[2].split()[0]
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)


def test_uvicorn_serves_the_same_app(s3: LocalS3) -> None:
    with under_uvicorn(s3) as url, httpx.Client(base_url=url, trust_env=False) as client:
        filtered = client.get("/test-dataset.csv", params={"organisation-entity": "org-1"})

        assert client.get("/health").json()["status"] == "healthy"
        assert (filtered.text, filtered.headers["content-type"]) == (OF_ORG_1, "text/csv")
