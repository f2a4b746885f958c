"""The kinds of failure of the service's archive are told apart, each with bucket and key."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from examples.service.dependencies import (
    Archive,
    DependenciesCorrupt,
    DependenciesDenied,
    DependenciesMissing,
    DependenciesUnreachable,
    NoRoomForDependencies,
    load,
)
from tests.examples.test_service import packed
from tests.fakes.s3 import HeldObject, LocalS3, denied, local_s3

BUCKET = "packages"
GOOD = packed(loaded_from_s3="ANSWER = 42")


def archive(key: str, content: bytes = GOOD) -> Archive:
    return Archive(BUCKET, key, hashlib.sha256(content).hexdigest())


@pytest.fixture(scope="module")
def s3() -> Iterator[LocalS3]:
    with local_s3() as running:
        running.put(BUCKET, "good.zip", GOOD)
        running.put(BUCKET, "no.zip", b"no zip")
        running.put(BUCKET, "half.zip", GOOD[: len(GOOD) // 2])
        running.answers[f"/{BUCKET}/denied.zip"] = denied
        yield running


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("loaded_from_s3", None)


def client(url: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(connect_timeout=1, read_timeout=0.2, retries={"total_max_attempts": 1}),
    )


def test_what_the_archive_brings_can_be_imported_before_all_else(
    s3: LocalS3, tmp_path: Path
) -> None:
    folder = load(archive("good.zip"), s3.client, tmp_path)

    assert sys.path[0] == str(folder)
    assert importlib.import_module("loaded_from_s3").ANSWER == 42
    assert [one.name for one in tmp_path.iterdir()] == [folder.name]


def test_an_environment_fetches_it_once(s3: LocalS3, tmp_path: Path) -> None:
    load(archive("good.zip"), s3.client, tmp_path)

    assert load(archive("good.zip"), None, tmp_path).is_dir()


@pytest.mark.parametrize(
    ("found", "kind", "says"),
    [
        (archive("denied.zip"), DependenciesDenied, "AccessDenied.*s3:GetObject"),
        (archive("missing.zip"), DependenciesMissing, "NoSuchKey"),
        (Archive("no-such-bucket", "a.zip", "0" * 64), DependenciesMissing, "NoSuchBucket"),
        (archive("good.zip", b"another"), DependenciesCorrupt, "SHA-256 is .* deploy the hash"),
        (archive("half.zip"), DependenciesCorrupt, "SHA-256"),
        (archive("no.zip", b"no zip"), DependenciesCorrupt, "no zip"),
    ],
    ids=["denied", "no key", "no bucket", "another hash", "half of it", "no zip"],
)
def test_a_failure_names_its_kind_bucket_and_key(
    s3: LocalS3, tmp_path: Path, found: Archive, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=rf"s3://{found.bucket}/{found.key}: .*{says}"):
        load(found, s3.client, tmp_path)
    assert not [*tmp_path.iterdir()]
    assert str(tmp_path) not in sys.path[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is full")
def test_a_full_disk_is_told(s3: LocalS3, tmp_path: Path) -> None:
    wanted = archive("good.zip")
    (tmp_path / f"{wanted.sha256}.zip").symlink_to("/dev/full")

    with pytest.raises(NoRoomForDependencies, match=rf"s3://{BUCKET}/good.zip: .*storage"):
        load(wanted, s3.client, tmp_path)


def test_s3_that_is_not_reached_is_told(tmp_path: Path) -> None:
    with pytest.raises(DependenciesUnreachable, match=r"EndpointConnectionError"):
        load(archive("good.zip"), client("http://127.0.0.1:1"), tmp_path)


def test_s3_that_breaks_off_is_told(s3: LocalS3, tmp_path: Path) -> None:
    held = s3.answers[f"/{BUCKET}/held.zip"] = HeldObject(GOOD[:10], GOOD[10:])

    try:
        with pytest.raises(DependenciesUnreachable, match=r"ReadTimeoutError"):
            load(archive("held.zip"), client(s3.url), tmp_path)
    finally:
        held.may_go_on.set()
