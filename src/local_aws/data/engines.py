"""The processes that stand in for AWS: dynoxide or moto for DynamoDB, moto for CloudWatch."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from local_aws.processes import Child, Spawner
from local_aws.settings import REPOSITORY_ROOT, Settings

_START_SECONDS = 30.0
_TRIES = 3
_STOP_SECONDS = 2.0
_ENVIRONMENT = {
    "PATH": os.defpath,
    "PYTHONPATH": str(REPOSITORY_ROOT / "src"),
    "LANG": "C.UTF-8",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class EngineError(Exception):
    """A service's process did not start. The text ends with its last output."""


class Engine:
    """A local HTTP service on a free port."""

    def __init__(
        self,
        name: str,
        argv: Callable[[int], Sequence[str]],
        spawner: Spawner,
        *,
        host: str = "127.0.0.1",
    ) -> None:
        """`argv` makes the command from a port; the service listens on `host`."""
        self.name = name
        self.url = ""
        self._argv = argv
        self._spawner = spawner
        self._host = host
        self._child: Child | None = None
        self._last_lines: deque[str] = deque(maxlen=20)

    @property
    def pid(self) -> int:
        return self._child.pid if self._child is not None else 0

    async def start(self) -> None:
        """Returns when it accepts connections. Raises EngineError."""
        for _ in range(_TRIES):  # another process may take the port between choice and use
            port = _free_port(self._host)
            self._child = await self._spawner.spawn(
                self._argv(port),
                env=_ENVIRONMENT,
                cwd=Path("/"),
                on_line=self._last_lines.append,
            )
            if await self._accepts(port, self._child):
                self.url = f"http://{self._host}:{port}"
                return
            await self.stop()
        raise EngineError(
            f"{self.name} did not start. Its last output:\n" + "\n".join(self._last_lines)
        )

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.end(grace_seconds=_STOP_SECONDS)

    async def _accepts(self, port: int, child: Child) -> bool:
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while child.returncode is None and asyncio.get_running_loop().time() < deadline:
            try:
                _, writer = await asyncio.open_connection(self._host, port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return True
        return False


def moto(spawner: Spawner) -> Engine:
    return Engine(
        "moto",
        lambda port: [sys.executable, "-m", "local_aws.data.moto_server", str(port)],
        spawner,
    )


def dynoxide(binary: Path, spawner: Spawner) -> Engine:
    """dynoxide on a random loopback address: it answers every origin, but a page in a browser knows
    neither the address nor the port.
    """
    host = _random_loopback_address()
    return Engine(
        "dynoxide",
        lambda port: [str(binary), "serve", "--host", host, "--port", str(port)],
        spawner,
        host=host,
    )


def find_dynoxide(settings: Settings) -> Path | None:
    """The binary: the one set, one that `make` has installed, or one on the PATH."""
    if settings.dynoxide is not None:
        return settings.dynoxide
    for environment in (Path(sys.prefix), REPOSITORY_ROOT / ".venv"):
        for candidate in sorted(environment.glob("npm/node_modules/@dynoxide/*/dynoxide")):
            if os.access(candidate, os.X_OK):
                return candidate
    on_path = shutil.which("dynoxide")
    return Path(on_path) if on_path else None


def _random_loopback_address() -> str:
    """A random address of 127.0.0.0/8 on Linux; 127.0.0.1 on macOS, which binds no other."""
    address = "127.{}.{}.{}".format(*(secrets.choice(range(1, 255)) for _ in range(3)))
    try:
        _free_port(address)
    except OSError:
        return "127.0.0.1"
    return address


def _free_port(host: str) -> int:
    with socket.socket() as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port
