"""A client's code made into a program, with what its language needs installed once, pinned.

Each program takes the stream's address and prints one event a line: name, id and data, with tabs
between. `python -m tests.fakes.client_programs` installs everything and says so (`make clients`).
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from local_aws.settings import REPOSITORY_ROOT
from tests.fakes.clients_page import CLIENTS_PAGE, code_by_client

SOURCES = REPOSITORY_ROOT / "tests/e2e/clients"
_BUILD = REPOSITORY_ROOT / "build/clients"
NPM = _BUILD / "npm"
_PYTHON = _BUILD / f"python{sys.version_info.major}.{sys.version_info.minor}"
_JARS = _BUILD / "jars"
_GO = _BUILD / "go"
_JAVA = _BUILD / "java"
_INSTALL_SECONDS = 240


class CannotRun(Exception):
    """A client is not on this computer and cannot be installed."""


def with_unnamed_events(code: str) -> str:
    """An EventSource tells only these when a block has no `event:`, which none should have."""
    return f"{code}source.onmessage = take;\n" if "const source" in code else code


def install_npm_packages() -> None:
    """Raises CannotRun."""
    npm = _tool("npm")

    def install() -> None:
        for file in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / file, NPM)
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], NPM)

    _once(NPM, SOURCES / "package-lock.json", install)


def axe_core() -> str:
    """The script that judges whether a page can be used by everybody. Raises CannotRun."""
    install_npm_packages()
    return (NPM / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def _install_python_packages() -> None:
    """Beside the environment, so that its own versions stay what they are."""
    wanted = SOURCES / "requirements.txt"
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    argv += ["--no-deps", "--target", str(_PYTHON), "--requirement", str(wanted)]
    _once(_PYTHON, wanted, lambda: _run(argv, _PYTHON))


def _install_jars() -> None:
    wanted = SOURCES / "java/pom.xml"
    argv = [_tool("mvn"), "--quiet", "--batch-mode", "--file", str(wanted)]
    argv += ["dependency:copy-dependencies", f"-DoutputDirectory={_JARS}"]
    _once(_JARS, wanted, lambda: _run(argv, _JARS))


def _npm_program(name: str, code: str) -> list[str]:
    install_npm_packages()
    return [_tool("node"), _script(NPM / f"{name}.mjs", "take.js", with_unnamed_events(code))]


def _node_program(name: str, code: str) -> list[str]:
    argv = [_tool("node"), "--no-warnings", "--experimental-eventsource"]
    probe = "new EventSource('http://127.0.0.1:1').close()"
    if subprocess.run([*argv, "--eval", probe], capture_output=True, timeout=20).returncode:
        raise CannotRun("this node has no --experimental-eventsource: 20.18 or 22.3 and later do")
    return [*argv, _script(_BUILD / f"{name}.mjs", "take.js", with_unnamed_events(code))]


def _python_program(name: str, code: str) -> list[str]:
    return [sys.executable, _script(_BUILD / f"{name}.py", "take.py", code)]


def _python_program_with_packages(name: str, code: str) -> list[str]:
    """A script finds the packages that it lies among."""
    _install_python_packages()
    return [sys.executable, _script(_PYTHON / f"{name}.py", "take.py", code)]


def _go_program(library: str, name: str, code: str) -> list[str]:
    """The first one compiles the standard library, too."""
    go = _tool("go")
    folder = _GO / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("go.mod", "go.sum"):
        shutil.copy(SOURCES / "go" / file, _GO)
    shutil.copy(SOURCES / "go" / library / "main.go", folder)
    (folder / "watch.go").write_text(f"package main\n\n{code}", encoding="utf-8")
    # Without cgo nobody needs a C compiler, and a quarter less is compiled.
    _run(["env", "CGO_ENABLED=0", "GOTOOLCHAIN=local", go, "build", "-o", "bin/", f"./{name}"], _GO)
    return [str(_GO / "bin" / name)]


def _java_program(name: str, code: str) -> list[str]:
    java, javac = _tool("java"), _tool("javac")
    _install_jars()
    folder = _JAVA / name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SOURCES / "java/Take.java", folder)
    (folder / "Watch.java").write_text(code, encoding="utf-8")
    _run([javac, "-cp", f"{_JARS}/*", "Take.java", "Watch.java"], folder)
    # One of several programs on few processors: what starts fast is better than what runs fast.
    return [
        java,
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-cp",
        f"{_JARS}/*:{folder}",
        "Take",
    ]


def _bash_program(name: str, code: str) -> list[str]:
    _tool("curl")
    return [_tool("bash"), _script(_BUILD / f"{name}.sh", "take.sh", code)]


PROGRAMS: dict[str, Callable[[str, str], list[str]]] = {
    "EventSource in Node": _node_program,
    "eventsource": _npm_program,
    "httpx-sse": _python_program,
    "aiohttp-sse-client": _python_program_with_packages,
    "go-sse": partial(_go_program, "go-sse"),
    "sse": partial(_go_program, "sse"),
    "okhttp-sse": _java_program,
    "curl": _bash_program,
}
"""By the heading of docs/clients.md: (name, code) to what has to be run, but for the address."""


def _script(path: Path, beginning: str, code: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    start = (SOURCES / beginning).read_text(encoding="utf-8")
    path.write_text(f"{start}\n{code}", encoding="utf-8")
    return str(path)


def _once(folder: Path, wanted: Path, install: Callable[[], None]) -> None:
    marker = folder / ".installed"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests of several files want it at once
        if marker.exists() and marker.read_bytes() == wanted.read_bytes():
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install()
        marker.write_bytes(wanted.read_bytes())


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise CannotRun(f"{name} is not installed")
    return found


def _run(argv: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS
    )
    if done.returncode:
        raise CannotRun(f"{' '.join(argv)} failed: {(done.stdout + done.stderr)[-500:]}")


def _install_all() -> None:
    for client, code in code_by_client(CLIENTS_PAGE).items():
        if client in PROGRAMS:
            print(f"Making {client} ready …", flush=True)  # noqa: T201
            try:
                PROGRAMS[client](client, code)
            except CannotRun as why:
                print(f"  its tests cannot run: {why}", flush=True)  # noqa: T201


if __name__ == "__main__":
    _install_all()
