"""A revision's files: which layout they have, how its processes are started, its unpacked zip."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parents[1]
BUILT = ROOT / "build" / "bench"
"""What takes long to build is kept here."""

NOW, BASE = "now", "base"

_LAYOUTS: Mapping[str, str] = {
    "lambda_streaming/runtime/loop.py": "library",
    "lambdas/sse_streaming/runtime/loop.py": "one_package",
}
"""By a file under src/ that only this layout has, the newest layout first: its adapter."""


class TreeError(Exception):
    """A revision cannot be measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Tree:
    """`name` is "now" or "base", `revision` what people call it."""

    name: str
    revision: str
    root: Path

    @property
    def source(self) -> Path:
        return self.root / "src"

    @property
    def adapter(self) -> str:
        """The module that knows this revision's names. Raises TreeError where there is none."""
        for marker, adapter in _LAYOUTS.items():
            if (self.source / marker).exists():
                return f"tests.bench.layouts.{adapter}"
        raise TreeError(
            f"{self.revision} has none of the layouts in tests/bench/layouts/: write an adapter for"
            " it and name it in tests/bench/trees.py"
        )


@dataclass(frozen=True, slots=True)
class Package:
    """The function's zip, built for this machine."""

    zip: Path
    unpacked: Path


def present_tree() -> Tree:
    described = _git("describe", "--always", "--dirty=+changes", "--exclude=*")
    return Tree(NOW, described or "the present files", ROOT)


@contextmanager
def tree_of(revision: str) -> Iterator[Tree]:
    """A worktree of a revision in a temporary folder, with this Python's packages.

    Raises TreeError.
    """
    commit = _git("rev-parse", "--short", "--verify", "--quiet", f"{revision}^{{commit}}")
    if not commit:
        raise TreeError(f"BASE={revision}: git knows no such revision here")
    with TemporaryDirectory(prefix="bench-base-") as scratch:
        root = Path(scratch, "tree")
        subprocess.run(
            ["git", "worktree", "add", "--quiet", "--detach", str(root), commit],
            cwd=ROOT,
            check=True,
        )
        try:
            (root / ".venv").symlink_to(sys.prefix)
            yield Tree(BASE, commit, root)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(root)], cwd=ROOT)


def package_of(tree: Tree) -> Package:
    """For this machine and this Python. Raises TreeError where it cannot be built."""
    python = "{}.{}".format(*sys.version_info[:2])
    # Not the .venv's own interpreter: the packages there are not the zip's.
    interpreter = getattr(sys, "_base_executable", sys.executable)
    architecture = "arm64" if os.uname().machine in ("aarch64", "arm64") else "x86_64"
    return _built(
        tree,
        *("--python", python, "--architecture", architecture, "--interpreter", interpreter),
    )


def default_package_of(tree: Tree) -> Package:
    """What `make package` builds. Raises TreeError, also where its Python is not installed."""
    return _built(tree)


def _built(tree: Tree, *options: str) -> Package:
    """Built by the tree's own tool; kept as long as its files do not change."""
    place = BUILT / "packages" / _digest(tree, options)
    package = Package(place / "function.zip", place / "unpacked")
    if package.unpacked.is_dir():
        return package
    shutil.rmtree(place, ignore_errors=True)
    building = subprocess.run(
        [sys.executable, "-m", "tools.package_zip", "--output", str(package.zip), *options],
        cwd=tree.root,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
    )
    if building.returncode:
        raise TreeError(f"the zip of {tree.revision} cannot be built: {building.stderr[-500:]}")
    partly = place / "unpacking"
    with zipfile.ZipFile(package.zip) as archive:
        archive.extractall(partly)
    partly.rename(package.unpacked)
    return package


def library_of(tree: Tree, python: Path) -> Path:
    """A folder with the tree's library as pip and `make package` leave it: with bytecode of this
    Python. Kept as long as its files do not change. Raises TreeError."""
    place = BUILT / "libraries" / _digest(tree, [str(python)])
    if place.is_dir():
        return place
    partly = place.with_name(f"{place.name}-compiling")
    shutil.rmtree(partly, ignore_errors=True)
    shutil.copytree(
        tree.source / "lambda_streaming",
        partly / "lambda_streaming",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    compiling = subprocess.run(
        [str(python), "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", str(partly)],
        capture_output=True,
        text=True,
    )
    if compiling.returncode:
        raise TreeError(f"the library of {tree.revision} cannot be compiled: {compiling.stdout}")
    partly.rename(place)
    return place


def runtime_packages() -> Path:
    """A folder with the managed runtime's interface client and nothing else of the .venv: what the
    zip lacks must be missing, and what it does not hold must not be looked through."""
    place = BUILT / "runtime"
    place.mkdir(parents=True, exist_ok=True)
    installed = Path(next(path for path in sys.path if path.endswith("site-packages")))
    for pattern in ("awslambdaric", "snapshot_restore_py.py", "simplejson", "runtime_client*.so"):
        for found in installed.glob(pattern):
            link = place / found.name
            if not link.exists():
                link.unlink(missing_ok=True)
                link.symlink_to(found)
    return place


def _digest(tree: Tree, options: Sequence[str]) -> str:
    """Of all that decides what is in the zip."""
    digest = hashlib.sha256(" ".join(options).encode())
    for folder in (tree.source, tree.root / "tools"):
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(tree.root)
            if path.is_file() and "__pycache__" not in path.parts and "local_aws" not in path.parts:
                digest.update(f"{relative} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""
