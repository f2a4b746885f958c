"""Packages that are too large, or too private, for the function's zip: from S3, in the init phase.

The archive is a zip of what `pip install --target` made. Its hash is part of the function's
configuration, so that a changed object is no changed function. Reaching S3 makes cold starts
longer, by some hundred milliseconds: what fits into the zip belongs there.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

FOLDER = Path(tempfile.gettempdir()) / "dependencies"  # /tmp, where alone a function may write
_BLOCK_BYTES = 1024 * 1024
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Archive:
    bucket: str
    key: str
    sha256: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class DependenciesError(Exception):
    """The function cannot start. The class says whose fault it is."""

    def __init__(self, archive: Archive, why: str) -> None:
        super().__init__(f"{archive}: {why}")


class DependenciesDenied(DependenciesError):
    pass


class DependenciesMissing(DependenciesError):
    pass


class DependenciesUnreachable(DependenciesError):
    pass


class DependenciesCorrupt(DependenciesError):
    pass


class NoRoomForDependencies(DependenciesError):
    pass


def load(archive: Archive, s3: Any, folder: Path = FOLDER) -> Path:
    """Puts the archive's packages before all others. They are unpacked once for each execution
    environment, and stay on the path: imports inside functions come later.

    Raises DependenciesError.
    """
    target = folder / archive.sha256
    with _told_apart(archive):
        if not target.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            _unpack(archive, s3, target)
    sys.path.insert(0, str(target))
    importlib.invalidate_caches()
    return target


def _unpack(archive: Archive, s3: Any, target: Path) -> None:
    """A process that is killed half-way leaves no `target`."""
    packed, partial = target.with_suffix(".zip"), target.with_suffix(".partial")
    try:
        _download(archive, s3, packed)
        shutil.rmtree(partial, ignore_errors=True)
        with zipfile.ZipFile(packed) as opened:
            opened.extractall(partial)
        partial.rename(target)
    finally:
        packed.unlink(missing_ok=True)
        shutil.rmtree(partial, ignore_errors=True)


def _download(archive: Archive, s3: Any, to: Path) -> None:
    """Block by block: the archive may be larger than the function's memory."""
    digest = hashlib.sha256()
    body = s3.get_object(Bucket=archive.bucket, Key=archive.key)["Body"]
    with body, to.open("wb") as file:
        while block := body.read(_BLOCK_BYTES):
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != archive.sha256:
        raise DependenciesCorrupt(
            archive,
            f"its SHA-256 is {digest.hexdigest()}, DEPENDENCIES_SHA256 is {archive.sha256}:"
            " deploy the hash of the archive that is there",
        )


@contextmanager
def _told_apart(archive: Archive) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise _refused(archive, error) from error
    except BotoCoreError as error:  # no connection, a timeout, no credentials
        why = f"S3 was not reached, or broke off: {type(error).__name__}: {error}"
        raise DependenciesUnreachable(archive, why) from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise DependenciesCorrupt(archive, f"it is no zip that can be read: {error}") from error
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise NoRoomForDependencies(
            archive, "/tmp is full: give the function more ephemeral storage (512 MB by default)"
        ) from error


def _refused(archive: Archive, error: ClientError) -> DependenciesError:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    code = error.response.get("Error", {}).get("Code")
    if status == 403:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        return DependenciesDenied(
            archive,
            f"S3 denies it ({code}): allow the function's role s3:GetObject. Without s3:ListBucket"
            " an object that is not there is denied, too",
        )
    if status == 404:
        return DependenciesMissing(archive, f"it is not there ({code})")
    return DependenciesUnreachable(archive, f"S3 answered {status} ({code})")
