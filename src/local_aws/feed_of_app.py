"""Asks an app's own Python whether its handler serves a feed, and of what.

The declaration is made by the app's code, in the app's environment: another Python, other packages,
its variables.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping

from local_aws.feed.declaration import Declaration
from local_aws.lambda_side.environ import Wiring, function_environ
from local_aws.settings import Settings, of_feed

_TIMEOUT_SECONDS = 30.0
# Where nothing listens: the discard service's port.
_NOWHERE = "127.0.0.1:9"
# With these the module would be taken for the one that Lambda's runtime asks for.
_OF_THE_RUNTIME = ("_HANDLER", "AWS_LAMBDA_RUNTIME_API")


async def with_feed(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """The settings of an app, and of its feed where its handler serves one. `environ`: the
    caller's."""
    if settings.feed is not None:
        return settings
    feed = await declared_feed(settings)
    return settings if feed is None else of_feed(settings, feed, environ)


async def declared_feed(settings: Settings) -> Declaration | None:
    """What the function's handler declares. None for one that serves no feed, and where its module
    cannot be imported: the function's init says why."""
    function = settings.function
    wiring = Wiring(
        dynamodb_url=settings.dynamodb_url,
        cloudwatch_url=None,
        otlp_url=f"http://{_NOWHERE}",
        xray_daemon_address=_NOWHERE,
    )
    environ = function_environ(function, wiring, runtime_api=_NOWHERE, environment_number=0)
    process = await asyncio.create_subprocess_exec(
        *(str(function.python), "-m", "lambdas.sse_streaming.declaration", function.handler),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL,
        cwd=function.task_root,
        env={name: value for name, value in environ.items() if name not in _OF_THE_RUNTIME},
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), _TIMEOUT_SECONDS)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        return None
    try:
        return Declaration.from_json(json.loads(printed))
    except (ValueError, LookupError, TypeError):  # the module has ended the process
        return None
