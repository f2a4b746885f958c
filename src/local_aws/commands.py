"""The commands that talk to a running stack: publish, drain, trace."""

from __future__ import annotations

import json
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.data.clients import local_client
from local_aws.feed.drain import DrainError, drain_until, mark
from local_aws.feed.publish_file import publish_lines
from local_aws.feed.publisher import put_into
from local_aws.feed.sentiment.items import items_of
from local_aws.feed.tables import reason
from local_aws.state_file import NoStackError, RunningStack, running_stack
from local_aws.traces.store import MAX_TRACES
from local_aws.traces.waterfall_text import render_text

_NOT_LOCAL = (
    " (No local stack that runs here has a table {table!r}: start it with make run, or give AWS"
    " credentials and the region that has the table.)"
)


class NoTraceError(Exception):
    """The console has no such trace, or does not answer."""


class Commands:
    """`say` prints a command's result, `complain` a notice or an error."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        say: Callable[[str], None],
        complain: Callable[[str], None],
    ) -> None:
        self._environ = environ
        self._say = say
        self._complain = complain

    def publish(self, file: str) -> bool:
        """Publishes a file's items (`-`: standard input); False if some were bad.

        Raises NoStackError, OSError.
        """
        running = running_stack(self._environ, say=self._complain, needs_tables=True)
        assert running.tables is not None
        assert running.feed is not None
        assert running.dynamodb_url is not None
        # Bytes: a line that is not UTF-8 must not keep the others from being read.
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return publish_lines(
            text,
            put_into(local_client("dynamodb", running.dynamodb_url), running.tables.items),
            items_of(running.feed),
            keep_times=self._environ.get("KEEP_TIMES") == "1",
            say=self._say,
        )

    def drain(self, table: str, until_text: str | None, *, on_aws: bool) -> None:
        """Raises DrainError, NoStackError."""
        until = drain_until(until_text, now=time.time())
        running = None if on_aws else self._stack_to_drain(table)
        if running is not None:
            assert running.tables is not None
            table = running.tables.connections
        elif not table:
            raise DrainError("Say which connections table on AWS: make drain TABLE=…")
        where = "AWS" if running is None else "the local stack"
        try:
            if running is None:
                dynamodb = boto3.client("dynamodb")
                where = f"AWS in {dynamodb.meta.region_name}"
            else:
                assert running.dynamodb_url is not None
                dynamodb = local_client("dynamodb", running.dynamodb_url)
            mark(dynamodb, table, until=until)
        except (BotoCoreError, ClientError) as error:
            hint = "" if running is not None or on_aws else _NOT_LOCAL.format(table=table)
            raise DrainError(
                f"{table} on {where} was not changed: {reason(error)}{hint}"
            ) from error
        table = f"{table} on {where}"
        if until:
            end = datetime.fromtimestamp(until, UTC)
            self._say(f"{table} drains until {end:%Y-%m-%d %H:%M:%S} UTC.")
        else:
            self._say(f"{table} no longer drains.")

    def trace(self, trace_id: str | None, *, console_url: str | None = None) -> None:
        """Shows one trace as a waterfall: by either form of its id, else the newest stream's.

        Raises NoTraceError, NoStackError.
        """
        url = console_url or running_stack(self._environ, say=self._complain).console_url
        base = url.rstrip("/")
        try:
            trace_id = trace_id or self._newest(base)
            trace = _get(f"{base}/api/traces/{urllib.parse.quote(trace_id, safe='')}")
        except urllib.error.HTTPError as error:
            with error:
                message = json.load(error)["error"]["message"]
            raise NoTraceError(f"{base} has no such trace: {message}") from error
        except (urllib.error.URLError, LookupError) as error:
            raise NoTraceError(f"cannot read a trace from {base}: {error}") from error
        self._say(render_text(trace, shutil.get_terminal_size((100, 24)).columns).rstrip("\n"))

    def _newest(self, base: str) -> str:
        """The newest stream's trace id; if nothing has streamed, the newest of any kind."""
        traces = _get(f"{base}/api/traces?limit={MAX_TRACES}")["traces"]
        if not traces:
            raise LookupError("it holds none yet; open a stream first")
        streams = [trace for trace in traces if trace["has_streaming_phase"]]
        if not streams:
            self._complain("No trace has a streaming phase yet: this is the newest one without.")
        return str((streams or traces)[0]["trace_id"])

    def _stack_to_drain(self, table: str) -> RunningStack | None:
        """The running stack with the table, any if `table` is empty; None: the table is on AWS."""
        try:
            return running_stack(
                self._environ,
                say=self._complain,
                connections_table=table or None,
                needs_tables=True,
            )
        except NoStackError as error:
            if table:
                return None
            raise NoStackError(f"{error}; or drain a table on AWS: make drain TABLE=…") from None


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)
