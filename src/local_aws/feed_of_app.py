"""Asks an app's own Python what its handler is: one that serves a feed, and of what; an ASGI app.

Only the app's code tells, in the app's environment: another Python, other packages, its variables.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from dataclasses import dataclass, replace

from local_aws.feed.declaration import Declaration
from local_aws.lambda_side.environ import Wiring, function_environ
from local_aws.settings import Settings, of_feed

_TIMEOUT_SECONDS = 30.0
# Where nothing listens: the discard service's port.
_NOWHERE = "127.0.0.1:9"
# With these the module would be taken for the one that Lambda's runtime asks for.
_OF_THE_RUNTIME = ("_HANDLER", "AWS_LAMBDA_RUNTIME_API")


_ENTRYPOINT = "lambda_streaming.entrypoint.handler"
# What the module prints on its import is not part of the answer.
_PROGRAM = """\
import contextlib, json, sys
from lambda_streaming.bridge.loading import UnusableApp, check_app
from lambda_streaming.runtime.invoker import is_async
from lambda_streaming.serving.take_over import LambdaHandler
from lambdas.sse_streaming.declaration import NoFeed, declaration_of

def is_asgi_app(found):
    if isinstance(found, LambdaHandler) or not callable(found) or not is_async(found):
        return False
    try:
        check_app(found, found)
    except UnusableApp:
        return False
    return True

handler = sys.argv[1]
with contextlib.redirect_stdout(sys.stderr):
    try:
        said = {"feed": declaration_of(handler), "is_asgi_app": False}
    except NoFeed:
        module, _, attribute = handler.rpartition(".")
        found = getattr(sys.modules.get(module.replace("/", ".")), attribute, None)
        said = {"feed": None, "is_asgi_app": is_asgi_app(found)}
print(json.dumps(said))
"""


@dataclass(frozen=True, slots=True)
class Handler:
    """What the name of a handler stands for."""

    feed: Declaration | None = None
    is_asgi_app: bool = False


async def with_feed(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """The settings of an app, and of its feed where its handler serves one. An ASGI app in the
    handler's place is served by the library's entrypoint, as `make package` configures it.
    `environ`: the caller's."""
    if settings.feed is not None:
        return settings
    handler = await asked_handler(settings)
    if handler.is_asgi_app:
        module, _, attribute = settings.function.handler.rpartition(".")
        environment = {
            **settings.function.environment,
            "STREAMING_APP": f"{module.replace('/', '.')}:{attribute}",
        }
        function = replace(settings.function, handler=_ENTRYPOINT, environment=environment)
        return replace(settings, function=function)
    return settings if handler.feed is None else of_feed(settings, handler.feed, environ)


async def declared_feed(settings: Settings) -> Declaration | None:
    """What the function's handler declares, if it serves a feed."""
    return (await asked_handler(settings)).feed


async def asked_handler(settings: Settings) -> Handler:
    """What the function's handler is. Where its module cannot be imported the function's init says
    why."""
    function = settings.function
    wiring = Wiring(
        dynamodb_url=settings.dynamodb_url,
        cloudwatch_url=None,
        otlp_url=f"http://{_NOWHERE}",
        xray_daemon_address=_NOWHERE,
    )
    environ = function_environ(function, wiring, runtime_api=_NOWHERE, environment_number=0)
    process = await asyncio.create_subprocess_exec(
        *(str(function.python), "-c", _PROGRAM, function.handler),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL,
        cwd=function.task_root,
        env={name: value for name, value in environ.items() if name not in _OF_THE_RUNTIME},
    )
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            printed, _ = await process.communicate()
    except TimeoutError:
        return Handler()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        return Handler()
    try:
        said = json.loads(printed)
        feed = None if said["feed"] is None else Declaration.from_json(said["feed"])
        return Handler(feed, said["is_asgi_app"])
    except (ValueError, LookupError, TypeError):  # the module has ended the process
        return Handler()
