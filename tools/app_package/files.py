"""Which files of an app's folder go into its zip, and why the others do not.

A zip is read by everybody who may read the function, so a file that may hold a secret stays out.
So does what only a developer needs. Whatever is left out is told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath


class Reason(StrEnum):
    """Why a file or a folder is left out."""

    SECRET = "may hold secrets"
    TESTS = "tests"
    ENVIRONMENT = "virtual environments"
    HIDDEN = "hidden"
    BUILT = "built or cached"
    REQUIREMENTS = "requirements, which are installed"
    LINK = "links to folders, or out of the folder"


@dataclass(frozen=True, slots=True)
class AppFiles:
    """Paths are relative to `folder`. `with_secrets` is code that seems to hold a secret: it is
    needed, so it is kept."""

    folder: Path
    kept: tuple[PurePosixPath, ...]
    left_out: Mapping[Reason, tuple[str, ...]]
    with_secrets: tuple[PurePosixPath, ...]

    @property
    def modules(self) -> dict[str, PurePosixPath]:
        """The kept Python files by their modules' names."""
        return {
            ".".join(path.with_suffix("").parts).removesuffix(".__init__"): path
            for path in self.kept
            if path.suffix == ".py"
        }


_SECRET_NAMES = (
    *(".env", ".env.*", "*.env", ".netrc", ".pypirc", ".npmrc", ".htpasswd", "pip.conf"),
    *("*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "id_rsa*", "id_ed25519*"),
    *("id_ecdsa*", "id_dsa*", "*.tfstate", "*.tfstate.*", "*.tfvars", "*.tfvars.json"),
    *("credentials", "credentials.*", "client_secret*.json", "service[-_]account*.json"),
    *("secrets.*", "*.secrets", "*.log"),
)
_TEST_FOLDERS = frozenset({"tests", "test"})
_TEST_FILES = ("test_*.py", "*_test.py", "conftest.py")
_BUILT_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})
_BUILT_AT_THE_TOP = frozenset({"build", "dist"})
_SERVED_HIDDEN_FOLDER = ".well-known"  # RFC 8615: what web servers hand out
_SECRET_TEXT = re.compile(
    rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----|(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"
)
_SEARCHED_BYTES = 1_000_000


def app_files(folder: Path, *, below: str = "") -> AppFiles:
    """The files of `folder`, or of the part of it that is `below`."""
    kept: list[PurePosixPath] = []
    with_secrets: list[PurePosixPath] = []
    left_out: dict[Reason, list[str]] = {}
    for path, reason in _walked(folder, below):
        if reason is None and _SECRET_TEXT.search(_beginning(folder / path)):
            if path.suffix == ".py":
                with_secrets.append(path)
            else:
                reason = Reason.SECRET
        if reason is None:
            kept.append(path)
        else:
            is_folder = (folder / path).is_dir()
            left_out.setdefault(reason, []).append(f"{path}/" if is_folder else str(path))
    return AppFiles(
        folder,
        tuple(sorted(kept)),
        {reason: tuple(sorted(left_out[reason])) for reason in Reason if reason in left_out},
        tuple(sorted(with_secrets)),
    )


def reason_for_file(path: PurePosixPath) -> Reason | None:
    """Why a file is left out, by its path alone."""
    name = path.name.lower()
    if path.suffix != ".py" and _matches(name, _SECRET_NAMES):
        return Reason.SECRET
    if name.startswith("."):
        return Reason.HIDDEN
    if path.suffix in (".pyc", ".pyo"):
        return Reason.BUILT
    if _matches(name, _TEST_FILES):
        return Reason.TESTS
    if name.startswith("requirements") and path.suffix in (".txt", ".in"):
        return Reason.REQUIREMENTS  # it may name an index with its password
    return None


def reason_for_folder(path: PurePosixPath, *, files: frozenset[str]) -> Reason | None:
    """Why a folder that holds these files is left out with all that is in it."""
    if "pyvenv.cfg" in files:
        return Reason.ENVIRONMENT
    if path.name in _BUILT_FOLDERS or path.name.endswith((".egg-info", ".dist-info")):
        return Reason.BUILT
    if path.name.startswith(".") and path.name != _SERVED_HIDDEN_FOLDER:
        return Reason.HIDDEN
    if path.name in _TEST_FOLDERS:
        return Reason.TESTS
    if len(path.parts) == 1 and path.name in _BUILT_AT_THE_TOP and "__init__.py" not in files:
        return Reason.BUILT
    return None


def _walked(folder: Path, below: str) -> Iterator[tuple[PurePosixPath, Reason | None]]:
    """Every file, and every folder that is left out, in which nothing more is looked at."""
    for place, folders, names in os.walk(folder / below):
        here = PurePosixPath(Path(place).relative_to(folder))
        entered = []
        for name in folders:
            path = here / name
            reason = (
                Reason.LINK
                if (folder / path).is_symlink()
                else reason_for_folder(path, files=frozenset(_names_in(folder / path)))
            )
            if reason is None:
                entered.append(name)
            elif name != "__pycache__":
                yield path, reason
        folders[:] = entered
        for name in names:
            path = here / name
            if not (folder / path).resolve().is_relative_to(folder.resolve()):
                yield path, Reason.LINK
            elif (folder / path).is_file():
                yield path, reason_for_file(path)


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []  # which os.walk passes over as well


def _beginning(file: Path) -> bytes:
    with file.open("rb") as content:
        return content.read(_SEARCHED_BYTES)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
