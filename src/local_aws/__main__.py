"""The local stack's commands: run, publish FILE, drain [TABLE] [UNTIL]."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.data.engines import EngineError
from local_aws.lambda_side.init_check import FunctionInitError
from local_aws.sentiment import drain
from local_aws.sentiment.publish_file import publish_lines
from local_aws.sentiment.publisher import put_into
from local_aws.sentiment.tables import TablesError, local_client, reason
from local_aws.settings import SettingError, Settings, unknown_settings
from local_aws.stack import PortTakenError, Stack
from local_aws.state_file import NoStackError, RunningStack, forget, running_stack, state_file

_EXPECTED = (
    SettingError,
    PortTakenError,
    EngineError,
    FunctionInitError,
    TablesError,
    NoStackError,
    drain.DrainError,
)
_NOT_LOCAL = (
    " (No local stack that runs here has a table {table!r}: start it with make run, or give AWS"
    " credentials and the region that has the table.)"
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local_aws", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start the local stack; PORT and LOCAL_* are its settings")
    publishing = commands.add_parser("publish", help="publish items into the running stack")
    publishing.add_argument("file", help="one JSON object a line; - reads standard input")
    draining = commands.add_parser("drain", help="end every stream and refuse new ones")
    draining.add_argument(
        "table", nargs="?", default="", help="the connections table; the running stack's if empty"
    )
    draining.add_argument("until", nargs="?", help="+SECONDS, an ISO time, or 0 to lift the drain")
    draining.add_argument(
        "--aws",
        action="store_true",
        help="on AWS, even where a local stack has a table of this name",
    )
    arguments = parser.parse_args()
    try:
        match arguments.command:
            case "run":
                return asyncio.run(_run())
            case "publish":
                return _publish(arguments.file)
            case _:
                return _drain(arguments.table, arguments.until, on_aws=arguments.aws)
    except _EXPECTED as error:
        _complain(str(error))
    except OSError as error:
        print(f"{error.filename or 'The local stack'}: {error.strerror}", file=sys.stderr)
    return 1


async def _run() -> int:
    settings = Settings.from_environ(os.environ)
    for name, nearest in unknown_settings(os.environ):
        hint = f"did you mean {nearest}?" if nearest else "no setting has a name like it"
        _complain(f"{name} is set and has no effect: {hint}")
    this = asyncio.current_task()
    assert this is not None
    # Ends the stack in order, also while it starts; a second Ctrl-C does not wait for the order,
    # and the guardian ends what is left.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    try:
        async with Stack(settings, say=_say, checks_function=True) as stack:
            await _serve(stack)
    except asyncio.CancelledError:
        _say("Stopped.")
    return 0


async def _serve(stack: Stack) -> None:
    running = RunningStack(
        pid=os.getpid(),
        url=stack.url,
        console_url=stack.console_url,
        dynamodb_url=stack.dynamodb.url,
        tables=stack.names,
    )
    path = state_file(stack.settings, port=running.port)
    running.write(path)
    try:
        _say(_banner(stack))
        await asyncio.Event().wait()
    finally:
        _say("Shutting down …")
        forget(path)


def _banner(stack: Stack) -> str:
    return (
        "\nThe local stack is up. Ctrl-C ends it.\n\n"
        f"  Function URL  {stack.url}\n"
        f"  Console       {stack.console_url}\n"
        f"  Tables        {stack.names.items}, {stack.names.connections},"
        f" {stack.names.configurations}\n\n"
        "  In another terminal: make trace, make publish FILE=…, make drain; or\n"
        f"  curl -N '{stack.url}/stream?backfill=5'\n"
    )


def _publish(file: str) -> int:
    running = running_stack(os.environ, say=_complain)
    # Bytes: a line that is not UTF-8 must not keep the others from being read.
    text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    all_good = publish_lines(
        text,
        put_into(local_client("dynamodb", running.dynamodb_url), running.tables.items),
        keep_times=os.environ.get("KEEP_TIMES") == "1",
        say=_say,
    )
    return 0 if all_good else 1


def _drain(table: str, until_text: str | None, *, on_aws: bool) -> int:
    until = drain.drain_until(until_text, now=time.time())
    running = None if on_aws else _stack_to_drain(table)
    if running is not None:
        table = running.tables.connections
    elif not table:
        raise drain.DrainError("Say which connections table on AWS: make drain TABLE=…")
    where = "AWS" if running is None else "the local stack"
    try:
        if running is None:
            dynamodb = boto3.client("dynamodb")
            where = f"AWS in {dynamodb.meta.region_name}"
        else:
            dynamodb = local_client("dynamodb", running.dynamodb_url)
        drain.mark(dynamodb, table, until=until)
    except (BotoCoreError, ClientError) as error:
        hint = "" if running is not None or on_aws else _NOT_LOCAL.format(table=table)
        raise drain.DrainError(
            f"{table} on {where} was not changed: {reason(error)}{hint}"
        ) from error
    table = f"{table} on {where}"
    if until:
        _say(f"{table} drains until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M:%S} UTC.")
    else:
        _say(f"{table} no longer drains.")
    return 0


def _stack_to_drain(table: str) -> RunningStack | None:
    """The local stack that has the table, or any without a name; None: the table is on AWS."""
    try:
        return running_stack(os.environ, say=_complain, connections_table=table or None)
    except NoStackError as error:
        if table:
            return None
        raise NoStackError(f"{error}; or drain a table on AWS: make drain TABLE=…") from None


def _say(text: str) -> None:
    print(text, flush=True)


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
