"""From an item's write to its bytes at the client, through the whole local stack.

`SSE_POLL_MAX_SECONDS=1`: a poll a second, so that 0.5 s in the median and 1 s for the slowest are
the least that polling can reach.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from functools import partial
from typing import IO
from urllib.parse import urlsplit

from tests.bench.figures import Figure, Kind, Target, quantile
from tests.bench.run import Run, figure
from tests.bench.trees import Tree, TreeError

ROW = "latency"
_ITEMS_PER_ROUND = 100
_PERIOD_SECONDS = 0.0837
"""No fraction of a second: items are written at every moment between two polls."""
_START_SECONDS = 60.0
_WAIT_SECONDS = 10.0
_ITEM_ID = re.compile(rb'"item_id":"(bench-\d+)"')


def measure(run: Run, *, items: int = _ITEMS_PER_ROUND) -> list[Figure]:
    run.progress.begin("Starting the local stack")
    with ExitStack() as opened:
        clients = {
            tree.name: opened.enter_context(_Client(opened.enter_context(_Stack(tree))))
            for tree in run.trees
        }
        run.progress.begin("Writing items and waiting for them")
        subjects = {name: partial(client.delays, items) for name, client in clients.items()}
        taken = run.in_turn(run.rounds(3, 10), subjects)
    return [
        figure(
            ROW,
            f"item written to bytes at the client, p{share * 100:.0f}",
            "s",
            taken,
            lambda delays, share=share: quantile(delays, share),  # type: ignore[misc]
            target=Target(Kind.VALUE, limit),
            note=f"{items} items a round, one poll a second",
        )
        for share, limit in ((0.5, 0.6), (0.99, 1.2))
    ]


class _Stack:
    """`make run` of a revision, without its sample items. Use it with `with`."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._scratch = tempfile.TemporaryDirectory(prefix="bench-stack-")
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> _Stack:
        self.port = _two_free_ports()
        settings = {
            "PORT": str(self.port),
            "LOCAL_ITEMS_PER_SECOND": "0",
            "LOCAL_SAMPLED": "0",
            "LOCAL_TIMEOUT_SECONDS": "900",
            "LOCAL_STATE_FILE": f"{self._scratch.name}/stack.json",
            "SSE_POLL_MAX_SECONDS": "1",
            "SSE_MAX_STREAM_SECONDS": "900",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local_aws", "run"],
            cwd=self._tree.root,
            env={**os.environ, "PYTHONPATH": "src", **settings},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )
        self._wait_until_it_listens(self._process)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        self._scratch.cleanup()
        self._output.close()

    def _wait_until_it_listens(self, process: subprocess.Popen[bytes]) -> None:
        """The Function URL listens when all parts are ready."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.1)
        self._output.seek(0)
        said = self._output.read().decode(errors="replace")
        self.__exit__()
        raise TreeError(f"the local stack of {self._tree.revision} did not start:\n{said[-2000:]}")


class _Client:
    """One open stream, and when each item came. Use it with `with`."""

    def __init__(self, stack: _Stack) -> None:
        self._url = urlsplit(f"http://127.0.0.1:{stack.port}")
        self._console = urlsplit(f"http://127.0.0.1:{stack.port + 1}")
        self._arrived: dict[bytes, float] = {}
        self._connection = http.client.HTTPConnection(self._url.netloc, timeout=900)
        self._ready = threading.Event()
        self._written = 0

    def __enter__(self) -> _Client:
        self._connection.request("GET", "/stream")
        threading.Thread(target=self._read, daemon=True).start()
        if not self._ready.wait(_WAIT_SECONDS):
            raise TreeError("the local stack opens no stream")
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)

    def delays(self, items: int) -> list[float]:
        """Seconds from before each write to the arrival of its block."""
        written: dict[bytes, float] = {}
        console = http.client.HTTPConnection(self._console.netloc, timeout=_WAIT_SECONDS)
        started = time.monotonic()
        for number in range(items):
            time.sleep(max(0.0, started + number * _PERIOD_SECONDS - time.monotonic()))
            self._written += 1
            item_id = f"bench-{self._written}"
            written[item_id.encode()] = time.monotonic()
            body = json.dumps({"item_id": item_id, "sentiment_type": "positive", "headline": "x"})
            console.request("POST", "/api/items", body, {"content-type": "application/json"})
            answer = console.getresponse()
            said = answer.read()
            if answer.status != 201:
                raise TreeError(f"POST /api/items: {answer.status} {said!r}")
        console.close()
        deadline = time.monotonic() + _WAIT_SECONDS
        while not self._arrived.keys() >= written.keys():
            if time.monotonic() > deadline:
                raise TreeError("an item was written and did not come")
            time.sleep(0.02)
        return [self._arrived[item_id] - at for item_id, at in written.items()]

    def _read(self) -> None:
        try:
            answer = self._connection.getresponse()
            for line in answer:
                if line.startswith(b"event: ready"):
                    self._ready.set()
                elif (found := _ITEM_ID.search(line)) is not None:
                    self._arrived[found[1]] = time.monotonic()
        except (OSError, http.client.HTTPException, AttributeError, ValueError):
            pass  # closed by __exit__


def _two_free_ports() -> int:
    """The first of two neighbours: the console is on the port after the Function URL's."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
