"""What an app requires, and what the library requires beside it, as wheels for Lambda.

pip resolves both at once, the library being a wheel like any other: so versions that do not go
together are told by pip, with the names of those who require them.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.app_package.errors import AppError, RequirementError

DISTRIBUTION = "lambda-streaming"
_FOR_THE_COMPUTER = "local"
_LINES_SHOWN = 12
_WITHOUT_WHEEL = re.compile(r"No matching distribution found for (?P<requirement>[^\n]+)")
_CONFLICT = re.compile(r"The conflict is caused by:\n(?P<claims>(?:[ \t]+\S[^\n]*\n?)+)")
_UNHASHED = "In --require-hashes mode, all requirements must have their versions pinned"


@dataclass(frozen=True, slots=True)
class Target:
    """The runtime that the packages are for: `platforms` are the tags of wheels that it loads."""

    python: str
    architecture: str
    platforms: Sequence[str]


def chosen_extras(text: str, offered: Sequence[str]) -> tuple[str, ...]:
    """`tracing,wsgi` as names. Raises AppError."""
    extras = tuple(filter(None, (name.strip() for name in text.split(","))))
    fitting = [name for name in offered if name != _FOR_THE_COMPUTER]
    for name in extras:
        if name not in fitting:
            raise AppError(f"EXTRAS={text}: {name} is not one of {', '.join(fitting)}")
    return extras


def extras_of(project: Path) -> tuple[str, ...]:
    """The extras that the library offers, from its pyproject.toml."""
    return tuple(tomllib.loads(project.read_text("utf-8"))["project"]["optional-dependencies"])


def requirements_of(folder: Path) -> Path | None:
    """The app's requirements.txt. Raises AppError where they stand in another file alone."""
    file = folder / "requirements.txt"
    if file.is_file():
        return file
    project = folder / "pyproject.toml"
    if project.is_file():
        try:
            document = tomllib.loads(project.read_text("utf-8"))
        except ValueError as error:
            raise AppError(f"{project} cannot be read: {error}") from error
        if document.get("project", {}).get("dependencies") or "poetry" in document.get("tool", {}):
            raise AppError(
                f"{project} names what the app requires, but there is no requirements.txt beside"
                " it. Write one: uv export --no-dev --no-emit-project -o requirements.txt, or"
                " poetry export -o requirements.txt"
            )
    return None


def library_wheel(repository: Path, place: Path) -> Path:
    """The library as `pip install` has it, built by the build backend of this environment."""
    place.mkdir()
    _run(
        (
            *_pip(sys.executable, "wheel"),
            *("--no-deps", "--no-build-isolation", "--wheel-dir", str(place), str(repository)),
        ),
        place,
    )
    (built,) = place.glob("*.whl")
    return built


def install(
    requirements: Path | None,
    wheel: Path,
    extras: Sequence[str],
    target: Target,
    *,
    into: Path,
    interpreter: str,
) -> None:
    """Unpacks everything `into` a folder. `interpreter` judges the markers of requirements, so it
    should be of the target's version.

    Raises RequirementError.
    """
    library = wheel.with_name("library.txt")
    named = f"{DISTRIBUTION}[{','.join(extras)}]" if extras else DISTRIBUTION
    # With its hash, it goes beside requirements that are pinned by theirs.
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    hashed = f" --hash=sha256:{digest}" if _pins_by_hash(requirements) else ""
    library.write_text(f"{named} @ {wheel.as_uri()}{hashed}\n", encoding="utf-8")
    command = (
        *_pip(interpreter, "install", "--target", str(into)),
        *(argument for tag in target.platforms for argument in ("--platform", tag)),
        *("--implementation", "cp", "--python-version", target.python),
        *("--no-compile", "--only-binary=:all:", "--no-warn-conflicts"),
        *(() if requirements is None else ("--requirement", str(requirements))),
    )
    # Paths in requirements are relative to where pip runs.
    folder = wheel.parent if requirements is None else requirements.parent
    try:
        _run((*command, "--requirement", str(library)), folder)
    except _PipFailedError as error:
        said = str(error)
    else:
        return
    app_alone_resolves = False
    if requirements is not None and _CONFLICT.search(said):
        try:
            _run((*command, "--dry-run"), folder)
            app_alone_resolves = True
        except _PipFailedError:
            pass
    raise explained(said, target, app_alone_resolves=app_alone_resolves)


class _PipFailedError(RequirementError):
    """The text is what pip said."""


def _pip(interpreter: str, command: str, *arguments: str) -> tuple[str, ...]:
    # This environment's pip, run by that interpreter, which may have none.
    # Isolated (-I): a module of the app could take the place of one of the standard library's.
    return (
        *(sys.executable, "-I", "-m", "pip", "--python", interpreter, command, *arguments),
        # Not quiet: it would not say who requires what does not go together.
        *("--no-input", "--progress-bar", "off", "--disable-pip-version-check"),
    )


def _run(command: Sequence[str], folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise _PipFailedError((done.stdout + done.stderr).strip())


def _pins_by_hash(requirements: Path | None) -> bool:
    return requirements is not None and "--hash=" in requirements.read_text("utf-8")


def explained(said: str, target: Target, *, app_alone_resolves: bool) -> RequirementError:
    """What a failed pip said, with whose fault it is and what to do. Versions that do not go
    together are the app's own where its requirements alone do not resolve."""
    errors = said[max(said.find("ERROR:"), 0) :]
    last = "\n".join(f"  {line}" for line in errors.splitlines()[:_LINES_SHOWN])
    if conflict := _CONFLICT.search(said):
        claims = conflict["claims"].rstrip()
        whose = (
            "The app's requirements conflict with the library's"
            if app_alone_resolves
            else "The app's requirements conflict with each other"
        )
        leave = ", or the library's extras (EXTRAS=)" if app_alone_resolves else ""
        return RequirementError(f"{whose}:\n{claims}\nChange requirements.txt{leave}.")
    if _UNHASHED in said:
        return RequirementError(
            "requirements.txt pins by hash, and does not pin what the library requires. Add that"
            f" with its hashes, or leave it out (EXTRAS=). pip said:\n{last}"
        )
    if missing := _WITHOUT_WHEEL.search(said):
        return RequirementError(
            f"{missing['requirement']} has no wheel for Python {target.python} on"
            f" {target.architecture} Linux, or does not exist. Take a version that has one, or"
            f" another PYTHON_VERSION or ARCH. pip said:\n{last}"
        )
    return RequirementError(f"The app's requirements cannot be installed. pip said:\n{last}")
