"""A function as Lambda's managed Python runs it: awslambdaric, the real one, in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from local_aws.traces.receivers.xray_daemon import XRayDaemon
from tests.fakes.receivers import CollectorThread, running_collector, running_daemon
from tests.fakes.runtime_api import FakeRuntimeApi

SOURCES = Path(__file__).parents[2] / "src"
_END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ManagedFunction:
    """A function's process, and the Runtime API that it asks."""

    api: FakeRuntimeApi
    process: subprocess.Popen[bytes]
    output: BinaryIO

    def end(self) -> str:
        """Ends it by SIGTERM; gives everything that it has written."""
        self.process.terminate()
        self.process.wait(_END_SECONDS)
        self.output.seek(0)
        return self.output.read().decode()


@dataclass(frozen=True, slots=True)
class TracedFunction:
    """A function's process beside an X-Ray daemon and a collector."""

    function: ManagedFunction
    daemon: XRayDaemon
    collector: CollectorThread


@contextmanager
def managed_function(
    folder: Path,
    handler: str,
    environ: Mapping[str, str],
    *,
    slots: int = 1,
    python: Path | str = sys.executable,
) -> Iterator[ManagedFunction]:
    """`folder` holds the module that `handler` names, and is the working directory. `python` has
    awslambdaric."""
    with (
        FakeRuntimeApi(slots=slots) as api,
        TemporaryFile() as output,  # a pipe that nobody reads would stop the function
        subprocess.Popen(
            [python, "-m", "awslambdaric", handler],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(SOURCES),
                "AWS_LAMBDA_RUNTIME_API": api.endpoint,
                **environ,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield ManagedFunction(api, process, output)
        finally:
            process.kill()


@contextmanager
def traced_function(
    folder: Path,
    handler: str,
    *,
    name: str,
    slots: int = 1,
    environ: Mapping[str, str] | None = None,
) -> Iterator[TracedFunction]:
    """The same, traced in both phases under `name`."""
    with (
        running_daemon() as daemon,
        running_collector() as collector,
        managed_function(
            folder,
            handler,
            {
                "AWS_LAMBDA_FUNCTION_NAME": name,
                "AWS_XRAY_DAEMON_ADDRESS": daemon.address,
                "LAMBDA_TASK_ROOT": "/var/task",
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
                "POWERTOOLS_SERVICE_NAME": name,
                **(environ or {}),
            },
            slots=slots,
        ) as function,
    ):
        yield TracedFunction(function, daemon, collector)
