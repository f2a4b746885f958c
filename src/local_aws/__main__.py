"""The local stack's commands: run, publish FILE, drain [TABLE] [UNTIL], trace [ID]."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from local_aws.commands import Commands, NoTraceError
from local_aws.data.engines import EngineError
from local_aws.lambda_side.init_check import FunctionInitError
from local_aws.sentiment.drain import DrainError
from local_aws.sentiment.tables import TablesError
from local_aws.settings import SettingError, Settings, unknown_settings
from local_aws.stack import PortTakenError, Stack
from local_aws.state_file import NoStackError, RunningStack, forget, state_file

_EXPECTED = (
    SettingError,
    PortTakenError,
    EngineError,
    FunctionInitError,
    TablesError,
    NoStackError,
    DrainError,
    NoTraceError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    commands = Commands(os.environ, say=_say, complain=_complain)
    try:
        match given.command:
            case "run":
                asyncio.run(_run())
            case "publish":
                return 0 if commands.publish(given.file) else 1
            case "drain":
                commands.drain(given.table, given.until, on_aws=given.aws)
            case _:
                commands.trace(given.trace_id, console_url=given.console)
    except _EXPECTED as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename or 'The local stack'}: {error.strerror}")
    else:
        return 0
    return 1


def _parser() -> argparse.ArgumentParser:
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
    tracing = commands.add_parser("trace", help="show one trace; both phases on one time axis")
    tracing.add_argument(
        "trace_id", nargs="?", help="in either form; the newest stream's if left out"
    )
    tracing.add_argument("--console", help="the console's address; the running stack's if left out")
    return parser


async def _run() -> None:
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


def _say(text: str) -> None:
    print(text, flush=True)


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
