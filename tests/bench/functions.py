"""Function processes, each behind a Runtime API of its own, and the AWS that they find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from local_aws.feed.sentiment.function import ENVIRONMENT
from local_aws.lambda_side.environ import Wiring, function_environ
from local_aws.settings import FunctionSettings
from tests.bench.process_usage import Processes
from tests.bench.standins.runtime_api import (
    UNSAMPLED,
    Answer,
    FunctionFailedError,
    NextAsked,
    RuntimeApi,
)
from tests.bench.trees import BENCH, ROOT, Tree

T = TypeVar("T")

SERVICE = "lambdas.sse_streaming.entrypoint.handler"
"""The service's `handler` setting, in every layout."""

_STOP_SECONDS = 5.0
_LOG_TAIL_BYTES = 3000


class Function:
    """One execution environment: a process (or several that belong together) and its Runtime API.

    Use it with `with`, whose end ends the processes.
    """

    def __init__(self, *commands: Command) -> None:
        self._commands = commands
        self._running: list[subprocess.Popen[bytes]] = []
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self.api = RuntimeApi(self._is_alive)
        self.processes = Processes(())
        self.first_next: NextAsked

    def __enter__(self) -> Function:
        """Returns when it has asked for its first event."""
        try:
            for command in self._commands:
                self._running.append(command.start(self.api.address, self._output.fileno()))
            self.processes = Processes([process.pid for process in self._running])
            self.first_next = self._told(lambda: self.api.wait_for_next(self.processes))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.api.close()
        self._output.close()

    def invoke(
        self,
        event: Mapping[str, Any],
        *,
        trace_header: str = UNSAMPLED,
        marker: bytes | None = None,
    ) -> Answer:
        """Raises FunctionFailedError with the end of the function's log."""
        return self._told(
            lambda: self.api.invoke(self.processes, event, trace_header=trace_header, marker=marker)
        )

    def begin(self, event: Mapping[str, Any]) -> None:
        """Hands out an event whose answer nobody takes."""
        self.api.begin(self.processes, event)

    def last_logged(self, message: str) -> dict[str, Any]:
        """The latest JSON line of its log with this message. Raises FunctionFailedError."""
        for line in reversed(self.log().splitlines()):
            if f'"{message}"' in line and line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        raise FunctionFailedError(f"it logged no {message!r}:\n{self.log()[-_LOG_TAIL_BYTES:]}")

    def log(self) -> str:
        return os.pread(self._output.fileno(), 1 << 24, 0).decode(errors="replace")

    def _is_alive(self) -> bool:
        return all(process.poll() is None for process in self._running)

    def _told(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (FunctionFailedError, OSError) as error:
            raise FunctionFailedError(
                f"{error}\nIts log ends:\n{self.log()[-_LOG_TAIL_BYTES:]}"
            ) from error


class Command:
    """How one process of a function is started."""

    def __init__(
        self, argv: Sequence[str], environ: Mapping[str, str], working_directory: Path
    ) -> None:
        self._argv = argv
        self._environ = environ
        self._working_directory = working_directory

    def start(self, runtime_api: str, output: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._argv,
            cwd=self._working_directory,
            env={**self._environ, "AWS_LAMBDA_RUNTIME_API": runtime_api},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


class Aws:
    """The stand-ins for AWS (standins/aws.py), in a process of their own. Use it with `with`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.daemon_address = ""

    def __enter__(self) -> Aws:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.standins.aws"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        http_port, udp_port = self._process.stdout.readline().split()
        self.url, self.daemon_address = f"http://127.0.0.1:{http_port}", f"127.0.0.1:{udp_port}"
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.communicate()  # the end of its input ends it

    def spans(self) -> int:
        """How many came since the last call."""
        with urllib.request.urlopen(f"{self.url}/spans") as answer:
            found: int = json.load(answer)["spans"]
            return found

    def environ(self, handler: str = SERVICE, **settings: str) -> dict[str, str]:
        """What a function's process finds in its environment."""
        wiring = Wiring(
            dynamodb_url=self.url,
            cloudwatch_url=self.url,
            otlp_url=self.url,
            xray_daemon_address=self.daemon_address,
        )
        function = FunctionSettings(
            handler=handler,
            environment={
                "SSE_ID_KEY": "bench-key-of-32-bytes-0123456789",
                **{
                    name: value
                    for name, value in ENVIRONMENT.items()
                    if not name.startswith(("SSE_MAX", "SSE_TRACE"))  # the service's own defaults
                },
            },
            passed_on=settings,
        )
        return function_environ(function, wiring, runtime_api="", environment_number=1)


def service(tree: Tree, aws: Aws, **settings: str) -> Function:
    """The service, as the managed runtime starts it, from a revision's sources."""
    return Function(
        Command(
            [sys.executable, "-m", "awslambdaric", SERVICE], aws.environ(**settings), tree.source
        )
    )


def adapted(tree: Tree, aws: Aws, task: str, **settings: str) -> Function:
    """A task of the revision's adapter (see layouts/), started by the managed runtime's client."""
    handler = f"{tree.adapter}.handler"
    own = {"_HANDLER": handler, "BENCH_TASK": task, "PYTHONPATH": str(ROOT)}
    environ = {**aws.environ(**settings), **own}
    argv = [sys.executable, "-m", "awslambdaric", handler]
    return Function(Command(argv, environ, tree.source))


def program(name: str, *arguments: str) -> Function:
    """A peer of ours in processes/."""
    argv = [sys.executable, str(BENCH / "processes" / name), *arguments]
    return Function(Command(argv, dict(os.environ), BENCH))


def stream_event(**query: str) -> dict[str, Any]:
    """What a Function URL hands over for `GET /stream`."""
    raw = "&".join(f"{name}={value}" for name, value in query.items())
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/stream",
        "rawQueryString": raw,
        "headers": {
            "host": "abcdefghijklmnop.lambda-url.us-east-1.on.aws",
            "accept": "text/event-stream",
            "user-agent": "bench",
        },
        "queryStringParameters": query,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abcdefghijklmnop",
            "domainName": "abcdefghijklmnop.lambda-url.us-east-1.on.aws",
            "domainPrefix": "abcdefghijklmnop",
            "http": {
                "method": "GET",
                "path": "/stream",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "bench",
            },
            "requestId": "00000000-0000-4000-8000-000000000000",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000,
        },
        "isBase64Encoded": False,
    }
