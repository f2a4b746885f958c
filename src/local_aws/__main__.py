"""The local stack's commands: run [APP], publish FILE, drain [TABLE] [UNTIL], trace [ID]."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version

from local_aws.account import REGION
from local_aws.app.project import ProjectInstallError, install_project
from local_aws.commands import Commands, NoTraceError
from local_aws.data.engines import EngineError
from local_aws.feed.drain import DrainError
from local_aws.feed.first_steps import publishing, reading
from local_aws.feed.sentiment.declaration import SENTIMENT
from local_aws.feed.tables import TablesError
from local_aws.feed_of_app import with_feed
from local_aws.lambda_side.init_check import FunctionInitError
from local_aws.progress import with_progress
from local_aws.settings import (
    IS_CHECKOUT,
    REPOSITORY_ROOT,
    WORK_ROOT,
    SettingError,
    Settings,
    unknown_settings,
)
from local_aws.stack import PortTakenError, Stack
from local_aws.state_file import NoStackError, RunningStack, forget, state_file

_RUNTIME_CLIENT = "awslambdaric~=4.2"  # what runs a handler on AWS
_EXPECTED = (
    SettingError,
    PortTakenError,
    EngineError,
    FunctionInitError,
    TablesError,
    NoStackError,
    DrainError,
    NoTraceError,
    ProjectInstallError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    commands = Commands(os.environ, say=_say, complain=_complain)
    try:
        match given.command:
            case "run":
                asyncio.run(_run({**os.environ, "APP": given.app} if given.app else os.environ))
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
    running = commands.add_parser(
        "run", help="start the local stack; PORT, LOCAL_*, APP_DIR and ENV_FILE are its settings"
    )
    running.add_argument(
        "app", nargs="?", default="", help="module:handler of your app; the service if left out"
    )
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


async def _run(environ: Mapping[str, str]) -> None:
    settings = Settings.from_environ(environ)
    for name, nearest in unknown_settings(environ):
        hint = f"did you mean {nearest}?" if nearest else "no setting has a name like it"
        _complain(f"{name} is set and has no effect: {hint}")
    this = asyncio.current_task()
    assert this is not None
    # Ends the stack in order, also while it starts; a second Ctrl-C does not wait for the order,
    # and the guardian ends what is left.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    try:
        settings = await _with_project(settings)
        asking = with_feed(settings, environ)
        settings = await with_progress("Asking the app for its feed", asking, _say)
        async with Stack(settings, say=_say, checks_function=True) as stack:
            await _serve(stack)
    except asyncio.CancelledError:
        _say("Stopped.")


async def _with_project(settings: Settings) -> Settings:
    """The settings with the interpreter of the app's own environment, where it has one."""
    if settings.requirements is None:
        return settings
    if IS_CHECKOUT:
        library = ["-e", f"{REPOSITORY_ROOT}[tracing]"]
    else:
        library = [f"lambda-streaming[tracing]=={version('lambda-streaming')}"]
    installing = install_project(
        settings.requirements,
        beside=[_RUNTIME_CLIENT, *library],
        build=WORK_ROOT / "build",
        say=_say,
    )
    python = await with_progress("Installing the app's requirements", installing, _say)
    return replace(settings, function=replace(settings.function, python=python))


async def _serve(stack: Stack) -> None:
    feed = stack.settings.feed
    running = RunningStack(
        pid=os.getpid(),
        url=stack.url,
        console_url=stack.console_url,
        dynamodb_url=None if feed is None else stack.dynamodb.url,
        tables=None if feed is None else stack.names,
        feed=feed,
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
    function = stack.settings.function
    doors = stack.door_urls
    lines = [
        ("Function URL", stack.url),
        ("Console", stack.console_url),
        (
            "REST API",
            f"{doors['rest_api']}/prod streams; /buffered needs STREAMING_INVOKE_MODE=auto",
        ),
        ("HTTP API", doors["http_api"]),
        ("ALB", f"{doors['alb']}; with multi-value headers {doors['alb_multi_value']}"),
        (
            "Invoke API",
            f"aws --endpoint-url {doors['invoke_api']} lambda invoke"
            f" --function-name {function.name} …",
        ),
    ]
    feed = stack.settings.feed
    if feed != SENTIMENT:
        lines.insert(0, ("App", f"{function.handler}, as the function {function.name}"))
    if feed is not None:
        names = stack.names
        lines += [
            ("Tables", f"{names.items}, {names.connections}, {names.configurations}"),
            (
                "DynamoDB",
                f"{stack.dynamodb.url}, as AWS_ENDPOINT_URL_DYNAMODB for what writes items",
            ),
        ]
    if feed is None:
        commands, first_steps = "make trace", [f"curl -N '{stack.url}/'"]
    else:
        commands = "make trace, make publish FILE=…, make drain"
        first_steps = [reading(feed, stack.url, region=REGION)]
        if feed.values is None:  # nobody makes items up
            first_steps.append(publishing(feed))
    addresses = "".join(f"  {label:<14}{what}\n" for label, what in lines)
    steps = "".join(f"  {step}\n" for step in first_steps)
    return (
        f"\nThe local stack is up. Ctrl-C ends it.\n\n{addresses}\n"
        f"  In another terminal: {commands}; or\n{steps}"
    )


def _say(text: str) -> None:
    print(text, flush=True)


def _complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
