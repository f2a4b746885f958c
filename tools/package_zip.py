"""Builds the function's zip: the same bytes from the same inputs, for a chosen Python and CPU.

    python -m tools.package_zip --python 3.13 --architecture arm64 --output build/function.zip

Dependencies come from the hash-pinned lock, as wheels only. The content digest printed at the end
covers every name and byte; it does not depend on the zlib that packed them.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools import cold_start_modules, zip_manifest, zip_rules
from tools.interpreters import (
    InterpreterNotFoundError,
    bare_environment,
    host_architecture,
    interpreter_for,
)

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
LOCK = SOURCE / "lambdas" / "sse_streaming" / "requirements.lock"
LIBRARY, APP = "lambda_streaming", "lambdas"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ARCHITECTURES = ("arm64", "x86_64")
DEFAULT_PYTHON, DEFAULT_ARCHITECTURE = "3.13", "arm64"

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o100644  # Lambda's user is not the owner of these files
_EXECUTABLE = 0o100755
_LARGEST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Package:
    """What was built. `content_digest` is over sorted (name, SHA-256), `parts` in zipped bytes."""

    path: Path
    files: int
    zipped_bytes: int
    unzipped_bytes: int
    bytecode_files: int
    content_digest: str
    parts: Counter[str]


def zip_name(python: str, architecture: str) -> str:
    """What `make package` calls the zip."""
    return f"sse-streaming-py{python}-{architecture}.zip"


def build(
    output: Path, *, python: str, architecture: str, bytecode: bool, interpreter: str | None = None
) -> Package:
    """Build one zip at `output`.

    Raises InterpreterNotFoundError where bytecode is wanted and that Python cannot be found, and
    CalledProcessError where pip or the import of the function's modules fails (both say why).
    """
    compiler = interpreter_for(python, interpreter) if bytecode else None
    with tempfile.TemporaryDirectory(prefix="package-zip-") as scratch:
        tree = Path(scratch, "tree")
        unpack(tree, python=python, architecture=architecture)
        if compiler is not None:
            loadable = tree
            if architecture != host_architecture():
                # The other CPU's extension modules would be replaced by their Python fallbacks,
                # and the list would depend on the machine that builds.
                loadable = Path(scratch, "host")
                unpack(loadable, python=python, architecture=host_architecture())
            add_bytecode(tree, compiler, loadable)
        zip_manifest.place(tree, python, architecture)
        return write_zip(tree, output)


def unpack(tree: Path, *, python: str, architecture: str) -> None:
    """Lay out at `tree` what belongs in the zip, without bytecode."""
    everything = tree.with_name(f"{tree.name}-all")
    platforms = zip_rules.platform_tags(architecture, python)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--target", str(everything)),
            *(argument for tag in platforms for argument in ("--platform", tag)),
            *("--implementation", "cp", "--python-version", python),
            # pip would compile with the Python that runs it, and read markers with it as well:
            # the lock has none, and needs no resolution.
            *("--no-compile", "--no-deps", "--only-binary=:all:", "--require-hashes"),
            *("--no-warn-conflicts", "--requirement", str(LOCK)),
        ],
        check=True,
    )
    for path in files_under(everything):
        if zip_rules.dependency_belongs(path):
            _place(everything / path, tree / path)
    shutil.rmtree(everything)
    for path in own_files():
        _place(SOURCE / path, tree / path)


def own_files() -> list[PurePosixPath]:
    """The service's files, and those of the library that it uses."""
    files = [
        package / path
        for package in map(PurePosixPath, (LIBRARY, APP))
        for path in files_under(SOURCE / package)
        if zip_rules.source_belongs(path)
    ]
    code = {path: (SOURCE / path).read_text("utf-8") for path in files if path.suffix == ".py"}
    used = zip_rules.reached(code, APP)
    return [path for path in files if path not in code or path in used]


def add_bytecode(tree: Path, interpreter: str, loadable: Path) -> None:
    """Ship the bytecode of what a first stream loads; `loadable` is the tree for this CPU."""
    script = str(Path(cold_start_modules.__file__))
    environment = {**bare_environment(), "AWS_EC2_METADATA_DISABLED": "true"}
    listed = subprocess.run(
        [interpreter, "-I", script, "list", str(loadable)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    subprocess.run(
        [interpreter, "-I", script, "compile", str(tree)],
        check=True,
        input=listed.stdout,
        text=True,
        env=environment,
    )


def write_zip(
    tree: Path, output: Path, *, part_of: Callable[[PurePosixPath], str] = zip_rules.part_of
) -> Package:
    """Pack `tree` in sorted order with fixed times and modes; the manifest is not compressed.
    `part_of` gives the names under which sizes are added up."""
    output.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    parts: Counter[str] = Counter()
    unzipped = bytecode = 0
    names = sorted(files_under(tree), key=str)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in names:
            content = (tree / name).read_bytes()
            entry = zipfile.ZipInfo(str(name), _ZIP_EPOCH)
            entry.create_system = 3  # Unix, so that the mode counts
            mode = _EXECUTABLE if (tree / name).stat().st_mode & stat.S_IXUSR else _READABLE
            entry.external_attr = mode << 16
            stored = str(name) == zip_manifest.NAME
            archive.writestr(
                entry, content, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED, 9
            )
            digest.update(f"{hashlib.sha256(content).hexdigest()} {name}\n".encode())
            parts[part_of(name)] += entry.compress_size
            unzipped += len(content)
            bytecode += name.suffix == ".pyc"
    return Package(
        path=output,
        files=len(names),
        zipped_bytes=output.stat().st_size,
        unzipped_bytes=unzipped,
        bytecode_files=bytecode,
        content_digest=digest.hexdigest(),
        parts=parts,
    )


def files_under(tree: Path) -> Iterator[PurePosixPath]:
    """Every file below `tree`, as a path relative to it."""
    for path in tree.rglob("*"):
        if path.is_file():
            yield PurePosixPath(path.relative_to(tree))


def describe(package: Package) -> str:
    """The sizes, the largest parts and the digest, for people."""
    lines = [
        f"{package.path}",
        f"  {package.zipped_bytes / 1e6:.2f} MB zipped, {package.unzipped_bytes / 1e6:.2f} MB"
        f" unzipped, {package.files} files, {package.bytecode_files} of them bytecode",
        f"  content digest {package.content_digest}",
        "  largest parts, zipped:",
    ]
    lines += [
        f"  {size / 1e3:9.0f} kB  {part}"
        for part, size in package.parts.most_common(_LARGEST_SHOWN)
    ]
    return "\n".join(lines)


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="package_zip", description="Build the function's zip.")
    parser.add_argument(
        "--python", choices=PYTHONS, default=DEFAULT_PYTHON, help="the managed runtime's"
    )
    parser.add_argument("--architecture", choices=ARCHITECTURES, default=DEFAULT_ARCHITECTURE)
    parser.add_argument("--output", type=Path, help="default: build/, named by Python and CPU")
    parser.add_argument(
        "--interpreter", help="a Python of that version, where it is not found by itself"
    )
    parser.add_argument(
        "--no-bytecode", action="store_true", help="smaller, but every cold start compiles"
    )
    given = parser.parse_args(arguments)
    output = given.output or ROOT / "build" / zip_name(given.python, given.architecture)
    started = time.monotonic()
    try:
        package = build(
            output,
            python=given.python,
            architecture=given.architecture,
            bytecode=not given.no_bytecode,
            interpreter=given.interpreter,
        )
    except InterpreterNotFoundError as error:
        sys.stderr.write(f"package_zip: {error}\n")
        return 2
    except subprocess.CalledProcessError as error:
        command = " ".join(str(part) for part in error.cmd[:5])
        sys.stderr.write(f"package_zip: {command} … failed; its own message is above\n")
        return 1
    sys.stdout.write(f"{describe(package)}\n  built in {time.monotonic() - started:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
