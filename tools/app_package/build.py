"""From an app's folder to its zip, and the manifest beside it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path, PurePosixPath

from lambda_streaming.version import __version__
from local_aws.app.names import function_name
from tools import cold_start_modules, zip_manifest, zip_rules
from tools.app_package.errors import AppError, RequirementError
from tools.app_package.feeds import FEED_EXTRA, declaration, imports_in, uses_service
from tools.app_package.files import AppFiles, Reason, app_files
from tools.app_package.handler import HandlerSetting, handler_setting, module_of
from tools.app_package.requirements import Target, install, library_wheel, requirements_of
from tools.elf import architecture_of
from tools.interpreters import InterpreterNotFoundError, bare_environment, interpreter_for
from tools.package_zip import ROOT, Package, files_under, write_zip

OWN_PART = "(the app's own files)"
_LOCAL_STACK, _SERVICE = "local_aws", "lambdas/sse_streaming"
_COMPILED = frozenset({".so", ".pyd", ".dylib"})


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be built. Without a `folder` the app is a package of the directory where it is
    built, and only that package is taken."""

    app: str
    folder: Path | None
    target: Target
    extras: Sequence[str]
    bytecode: bool = True
    interpreter: str | None = None


@dataclass(frozen=True, slots=True)
class AppPackage:
    """What was built. `markers_read_by` is the Python that judged which requirements apply, where
    that is not the target's."""

    package: Package
    manifest: Path
    setting: HandlerSetting
    target: Target
    files: AppFiles
    unzipped_parts: Counter[str]
    has_requirements: bool
    imports_left_out: Sequence[tuple[PurePosixPath, str]]
    markers_read_by: str | None


def zip_name(app: str, folder: Path | None, python: str, architecture: str) -> str:
    """What `make package` calls an app's zip. Raises AppError."""
    named = folder.resolve().name if folder else module_of(app).rpartition(".")[0]
    return f"{function_name(named)}-py{python}-{architecture}.zip"


def build(order: Order, output: Path) -> AppPackage:
    """Build the zip at `output`, and its manifest with the suffix .json.

    Raises AppError, RequirementError, InterpreterNotFoundError.
    """
    files, home = _files_of(order)
    setting = handler_setting(order.app, files)
    requirements = requirements_of(home)
    with_service = uses_service(files)
    # Each once: it may have been asked for.
    extras = tuple(dict.fromkeys((*order.extras, *([FEED_EXTRA] if with_service else []))))
    interpreter, markers_read_by = _interpreter(order)
    with tempfile.TemporaryDirectory(prefix="package-app-") as scratch:
        tree, installed = Path(scratch, "tree"), Path(scratch, "installed")
        wheel = library_wheel(ROOT, Path(scratch, "wheel"))
        install(
            requirements,
            wheel,
            extras,
            order.target,
            into=installed,
            interpreter=interpreter,
        )
        versions = sorted(
            f"{found.name}=={found.version}" for found in distributions(path=[str(installed)])
        )
        for path in files_under(installed):
            if dependency_belongs(path) and (with_service or not path.is_relative_to(_SERVICE)):
                place(installed / path, tree / path)
        _place_app(files, tree)
        zip_manifest.place(tree, order.target.python, order.target.architecture)
        _check_machines(tree, order.target.architecture)
        feed = declaration(order.app, tree, interpreter) if setting.is_feed else None
        if order.bytecode:
            _add_bytecode(tree, interpreter, files, order.target.python)
        own = {*files.kept, *(bytecode_path(path, order.target.python) for path in files.kept)}

        def part_of(path: PurePosixPath) -> str:
            return OWN_PART if path in own else zip_rules.part_of(path)

        unzipped_parts: Counter[str] = Counter()
        for path in files_under(tree):
            unzipped_parts[part_of(path)] += (tree / path).stat().st_size
        package = write_zip(tree, output, part_of=part_of)
    manifest = output.with_suffix(".json")
    document = _manifest(order, setting, package, extras, versions)
    if feed is not None:
        document["feed"] = feed
    manifest.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return AppPackage(
        package=package,
        manifest=manifest,
        setting=setting,
        target=order.target,
        files=files,
        unzipped_parts=unzipped_parts,
        has_requirements=requirements is not None,
        imports_left_out=imports_left_out(files),
        markers_read_by=markers_read_by,
    )


def dependency_belongs(path: PurePosixPath) -> bool:
    """Whether a file that pip unpacked is shipped. Which parts of a package an app uses nobody can
    tell, so only what no function can use is left out."""
    if "__pycache__" in path.parts or path.suffix == ".pyi" or path.parts[0] == _LOCAL_STACK:
        return False
    if path.parts[0] == "bin" and len(path.parts) == 2:  # commands of the computer that builds
        return False
    if path.parts[0].endswith(".dist-info"):
        return zip_rules.dependency_belongs(path)
    return True


def place(source: Path, target: Path) -> None:
    """Copies a file with its mode: packages bring programs that they start."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def bytecode_path(path: PurePosixPath, python: str) -> PurePosixPath:
    tag = python.replace(".", "")
    return path.parent / "__pycache__" / f"{path.stem}.cpython-{tag}.pyc"


def imports_left_out(files: AppFiles) -> list[tuple[PurePosixPath, str]]:
    """Which of the app's files import a test that was left out."""
    gone = [
        name.removesuffix("/").removesuffix(".py").replace("/", ".")
        for name in files.left_out.get(Reason.TESTS, ())
    ]
    return [
        (path, name)
        for path, imported in imports_in(files)
        for name in gone
        if any(f"{one}.".startswith(f"{name}.") for one in imported)
    ]


def _files_of(order: Order) -> tuple[AppFiles, Path]:
    """The app's files, and the folder of its requirements. Raises AppError."""
    if order.folder is not None:
        if not order.folder.is_dir():
            raise AppError(f"APP_DIR={order.folder}: there is no such folder")
        return app_files(order.folder.resolve()), order.folder.resolve()
    parents = module_of(order.app).split(".")[:-1]
    home = Path.cwd().joinpath(*parents)
    if not parents or not home.is_dir():
        raise AppError(f"APP={order.app}: give its folder too, APP_DIR=../my-project")
    return app_files(Path.cwd(), below="/".join(parents)), home


def _interpreter(order: Order) -> tuple[str, str | None]:
    """The Python for pip and for the bytecode, and its version where that is not the target's."""
    try:
        return interpreter_for(order.target.python, order.interpreter), None
    except InterpreterNotFoundError:
        if order.bytecode:
            raise
        return sys.executable, "{}.{}".format(*sys.version_info)


def _place_app(files: AppFiles, tree: Path) -> None:
    for path in files.kept:
        if (tree / path).exists():
            raise AppError(
                f"{files.folder / path} would replace the file of that name in the package"
                f" {zip_rules.part_of(path)}: give it another name, or remove the copy"
            )
        place(files.folder / path, tree / path)


def _check_machines(tree: Path, architecture: str) -> None:
    """What pip builds from a folder or a repository, and what the app brings itself, may be for the
    computer that builds."""
    for path in sorted(files_under(tree), key=str):
        if path.suffix in _COMPILED and architecture_of(tree / path) != architecture:
            raise RequirementError(
                f"{path} is not compiled for {architecture} Linux: take a wheel that is, or the"
                " ARCH that it is for"
            )


def _add_bytecode(tree: Path, interpreter: str, files: AppFiles, python: str) -> None:
    names = sorted(str(path) for path in files_under(tree) if path.suffix == ".py")
    _compile(interpreter, "try", tree, names)
    for path in files.kept:
        if path.suffix == ".py" and not (tree / bytecode_path(path, python)).exists():
            said = _compile(interpreter, "compile", tree, [str(path)])
            line = next(iter(re.findall(r", line \d+(?=\n)", said)[-1:]), "")
            why = said.strip().rpartition("\n")[2]
            raise AppError(f"{files.folder / path}{line} is no Python {python}: {why}")


def _compile(interpreter: str, task: str, tree: Path, names: Sequence[str]) -> str:
    """What it said, where it failed."""
    done = subprocess.run(
        [interpreter, "-I", str(cold_start_modules.__file__), task, str(tree)],
        check=False,
        input="\n".join(names),
        stderr=subprocess.PIPE,
        text=True,
        env=bare_environment(),
    )
    return done.stderr


def _manifest(
    order: Order,
    setting: HandlerSetting,
    package: Package,
    extras: Sequence[str],
    versions: Sequence[str],
) -> dict[str, object]:
    """What a deployment has to know, in the words of Lambda's API."""
    digest = hashlib.sha256(package.path.read_bytes()).digest()
    return {
        "package": package.path.name,
        "handler": setting.handler,
        "runtime": f"python{order.target.python}",
        "architecture": order.target.architecture,
        "environment": dict(setting.environment),
        "code_sha256": base64.b64encode(digest).decode(),
        "lambda_streaming": __version__,
        "extras": list(extras),
        "packages": list(versions),
    }
