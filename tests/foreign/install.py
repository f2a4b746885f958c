"""The suites and what they need, below build/foreign: downloaded once, by their hashes."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
import tarfile
from pathlib import Path

from local_aws.settings import REPOSITORY_ROOT
from tests.foreign.running import say
from tools.patiently import run

HERE = Path(__file__).parent
PLACE = REPOSITORY_ROOT / "build" / "foreign"
PYTHON = PLACE / "venv" / "bin" / "python"

_LOCK = HERE / "requirements.lock"
_SDISTS = HERE / "sdists.txt"
_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")


class InstallError(Exception):
    """What is needed cannot be had; the text says what."""


def install() -> None:
    """Raises InstallError."""
    written = PLACE / "installed-from"
    state = hashlib.sha256(
        sys.version.encode() + _LOCK.read_bytes() + _SDISTS.read_bytes()
    ).hexdigest()
    if written.exists() and written.read_text() == state:
        return
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    _do("Making an environment", sys.executable, "-m", "venv", str(PLACE / "venv"))
    _do(
        "Installing what the suites need",
        *(str(PYTHON), *_PIP, "install", "--progress-bar", "off"),
        *("--require-hashes", "--only-binary", ":all:", "-r", str(_LOCK)),
    )
    archives = PLACE / "sdists"
    _do(
        "Downloading the suites",
        *(str(PYTHON), *_PIP, "download", "--progress-bar", "off", "--no-deps"),
        *("--no-binary", ":all:", "--no-build-isolation", "--require-hashes"),
        *("-r", str(_SDISTS), "-d", str(archives)),
    )
    for archive in sorted(archives.glob("*.tar.gz")):
        _unpack(archive)
    written.write_text(state)


def _unpack(archive: Path) -> None:
    """The tests alone, so that what they import is not found beside them; the rest in `package`."""
    folder = archive.name.removesuffix(".tar.gz")
    place = PLACE / folder.rpartition("-")[0]
    with tarfile.open(archive) as tar:
        tar.extractall(place, filter="data")
    (place / folder).rename(place / "package")
    (place / "suite").mkdir()
    (place / "package" / "tests").rename(place / "suite" / "tests")


def _do(what: str, *command: str) -> None:
    say(f"{what} …")
    if status := asyncio.run(run(what, command, shows_output=False)):
        raise InstallError(
            f"{what} failed with status {status}: the suites come from PyPI, and need a network"
        )
