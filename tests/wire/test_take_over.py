"""Our loop in place of the managed runtime's: awslambdaric, the real one, looks handlers up."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.managed_runtime import SOURCES, ManagedFunction, managed_function
from tests.fakes.runtime_api import API, Event, Exchange, FakeRuntimeApi
from tests.fakes.traced_app import url_event

SERVE = """
from lambda_streaming.responses import Response
from lambda_streaming.runtime.invoker import LifeCycle
from lambda_streaming.serving.process import Service, serve

class Life(LifeCycle):
    async def start(self):
        print("started", flush=True)

def answer(event, context):
    return Response(BODY)

def compose(environ):
    return Service(answer, Life())

BODY = b"streamed"
handler = serve(compose)
"""
ASGI = """
from lambda_streaming import asgi

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        print("started", flush=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": BODY})

BODY = b"streamed"
handler = asgi(app, tracing="off")
"""
STREAMING = """
from lambda_streaming import Response, streaming

def answer(request):
    return Response(BODY)

BODY = b"streamed"
handler = streaming(answer, tracing="off")
"""
WSGI = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"streamed"]
"""
_BODY = 'BODY = b"streamed"\n'
MADE_BY = {"serve": SERVE, "asgi": ASGI, "streaming": STREAMING}


@pytest.fixture(params=list(MADE_BY.values()), ids=list(MADE_BY))
def app(request: pytest.FixtureRequest) -> str:
    """A handler's module; what makes the handler differs."""
    source: str = request.param
    return source


@contextmanager
def function(
    folder: Path, modules: Mapping[str, str], handler: str, **environ: str
) -> Iterator[ManagedFunction]:
    """With handler modules of the test's own."""
    for name, source in modules.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    with managed_function(folder, handler, environ) as running:
        yield running


def answer_of(running: ManagedFunction) -> Exchange:
    """To one event."""
    api = running.api
    api.add(Event(url_event("/")))
    api.wait_until(lambda: any(one.complete for one in api.answers()), 20)
    return api.answers()[0]


def init_error_of(running: ManagedFunction) -> tuple[str, str]:
    """Type and message."""
    api = running.api
    api.wait_until(lambda: bool(api.init_errors()), 20)
    assert not api.polls()
    (error,) = api.init_errors()
    return error["errorType"], error["errorMessage"]


def assert_taken_over(running: ManagedFunction) -> str:
    """Streams, having started before the first invocation; what the process said."""
    answer = answer_of(running)
    assert answer.payload == b"streamed"
    assert answer.headers["lambda-runtime-function-response-mode"] == "streaming"
    said = running.end()
    assert "WARNING" not in said
    return said


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("main.py", "main.handler"),
        ("folder/main.py", "folder.main.handler"),
        ("folder/main.py", "folder/main.handler"),
        ("package/__init__.py", "package.handler"),
    ],
)
@pytest.mark.parametrize("is_in_the_environment", [True, False], ids=["_HANDLER", "argument"])
def test_takes_over_the_module_that_the_setting_names(
    tmp_path: Path, app: str, file: str, setting: str, is_in_the_environment: bool
) -> None:
    environ = {"_HANDLER": setting} if is_in_the_environment else {}
    with function(tmp_path, {file: app}, setting, **environ) as running:
        assert_taken_over(running)


@pytest.mark.parametrize("source", [SERVE, ASGI], ids=["serve", "asgi"])
def test_it_has_started_before_it_asks_for_the_first_invocation(
    tmp_path: Path, source: str
) -> None:
    with function(tmp_path, {"main.py": source}, "main.handler") as running:
        running.api.wait_until(lambda: bool(running.api.polls()), 20)
        assert running.end() == "started\n"


def test_a_handler_may_have_any_name(tmp_path: Path, app: str) -> None:
    module = app.replace("handler = ", "entry = ")
    with function(tmp_path, {"main.py": module}, "main.entry") as running:
        assert_taken_over(running)


def test_everything_below_the_handler_runs_first(tmp_path: Path, app: str) -> None:
    module = app.replace(_BODY, "") + _BODY
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        assert_taken_over(running)


READERS = {
    "getmembers": "import inspect, sys\ninspect.getmembers(sys.modules[__name__])\n",
    "a thread": (
        "import sys, threading\n"
        "reader = threading.Thread(target=lambda: sys.modules[__name__].handler)\n"
        "reader.start(); reader.join()\n"
    ),
    "an import of itself": "from main import handler as same\nassert same is handler\n",
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_whoever_else_reads_the_name_gets_the_object(tmp_path: Path, app: str, reader: str) -> None:
    module = app + reader + "print('read', flush=True)\n"
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        assert "read" in assert_taken_over(running)


def test_a_package_may_import_the_handler_from_its_module(tmp_path: Path, app: str) -> None:
    """The module is imported by then, on the main thread, and the package's own import goes on."""
    modules = {
        "package/__init__.py": "from package.main import handler\nprint('read', flush=True)\n",
        "package/main.py": app,
    }
    with function(tmp_path, modules, "package.main.handler") as running:
        assert "read" in assert_taken_over(running)


def test_a_handler_may_be_made_in_another_module(tmp_path: Path, app: str) -> None:
    modules = {"main.py": "from real import handler as entry\n", "real.py": app}
    with function(tmp_path, modules, "main.entry") as running:
        assert_taken_over(running)


def test_a_module_that_is_unknown_when_the_handler_is_made_takes_over_with_the_first_call(
    tmp_path: Path, app: str
) -> None:
    modules = {
        "package/__init__.py": "import package.real\n",
        "package/real.py": app,
        "package/main.py": "from package.real import handler\n",
    }
    with function(tmp_path, modules, "package.main.handler") as running:
        answer = answer_of(running)
        said = running.end()
    assert answer.payload == b"streamed"
    assert said.count("WARNING") == 1
    assert "streaming starts with the first invocation" in said


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_an_app_may_be_given_by_its_name(tmp_path: Path, kind: str) -> None:
    """It is imported in the init phase, when everything in the handler's module has run."""
    modules = {
        "main.py": f"from lambda_streaming import {kind}\n"
        f"handler = {kind}('apps:app', tracing='off')\nimport apps\n",
        "apps.py": ASGI if kind == "asgi" else WSGI,
    }
    with function(tmp_path, modules, "main.handler") as running:
        assert_taken_over(running)


@pytest.mark.parametrize("name", ["apps:app", "apps:make()"])
@pytest.mark.parametrize("dot", [".", "/"])
def test_an_app_needs_no_handler_of_its_own(tmp_path: Path, name: str, dot: str) -> None:
    made = ASGI.replace("from lambda_streaming import asgi\n", "").partition("handler = ")[0]
    with function(
        tmp_path,
        {"apps.py": made + "def make():\n    return app\n"},
        f"lambda_streaming{dot}entrypoint.handler",
        STREAMING_APP=name,
        AWS_LAMBDA_FUNCTION_NAME="orders",
        OTEL_SDK_DISABLED="true",
        POWERTOOLS_TRACE_DISABLED="true",
    ) as running:
        assert_taken_over(running)


def test_the_garbage_collector_rests_while_an_app_is_imported(tmp_path: Path) -> None:
    """What an import makes stays: afterwards it is left out of every collection."""
    counts = "(rested, gc.isenabled(), gc.get_freeze_count() > 1_000)"
    apps = "import gc\nrested = not gc.isenabled()\n" + ASGI.replace(
        '"body": BODY', f'"body": str({counts}).encode()'
    )
    modules = {
        "main.py": "from lambda_streaming import asgi\nhandler = asgi('apps:app', tracing='off')\n",
        "apps.py": apps,
    }
    with function(tmp_path, modules, "main.handler") as running:
        assert answer_of(running).payload == b"(True, True, True)"


# Errors


def test_what_fails_below_the_handler_is_an_init_error(tmp_path: Path, app: str) -> None:
    module = app + "import nowhere\n"
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        kind, message = init_error_of(running)
    assert kind == "Runtime.ImportModuleError"
    assert "nowhere" in message


def test_what_fails_in_composing_is_an_init_error(tmp_path: Path) -> None:
    module = SERVE.replace("return Service(", "raise ValueError('TABLE is not set')\n    Service(")
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        assert init_error_of(running) == ("ValueError", "TABLE is not set")


def test_what_a_start_raises_is_an_init_error(tmp_path: Path) -> None:
    module = SERVE.replace("print(", "raise OSError('no database') #")
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        assert init_error_of(running) == ("OSError", "no database")


def test_an_attribute_error_of_a_start_is_no_missing_handler(tmp_path: Path) -> None:
    module = SERVE.replace("print(", "None.connect #")
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        kind, message = init_error_of(running)
    assert kind == "StartupError"
    assert message == "AttributeError: 'NoneType' object has no attribute 'connect'"


@pytest.mark.parametrize(
    "lifespan",
    [
        'message = {"type": "lifespan.startup.failed", "message": "no database"}; '
        "await send(message); return #",
        "None.connect #",
    ],
    ids=["told", "raised"],
)
def test_an_app_that_cannot_start_fails_the_init(tmp_path: Path, lifespan: str) -> None:
    module = ASGI.replace("print(", lifespan).replace("asgi(app", "asgi(app, lifespan='on'")
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        kind, message = init_error_of(running)
    assert kind == "LifespanError"
    assert message in (
        "the app's startup failed: no database",
        "the app raised before lifespan.startup.complete, with lifespan=on",
    )


APPS_ERRORS = {
    "": ("UnusableApp", '"apps:app": apps has no attribute app'),
    "import nowhere": ("ModuleNotFoundError", "No module named 'nowhere'"),
    "None.connect": (
        "StartupError",
        "AttributeError: 'NoneType' object has no attribute 'connect'",
    ),
    "app = 7": ("UnusableApp", '"apps:app" is no ASGI app: int cannot be called'),
}


@pytest.mark.parametrize("source", APPS_ERRORS)
def test_an_app_that_cannot_be_imported_fails_the_init(tmp_path: Path, source: str) -> None:
    module = "from lambda_streaming import asgi\nhandler = asgi('apps:app', tracing='off')\n"
    with function(tmp_path, {"main.py": module, "apps.py": source}, "main.handler") as running:
        assert init_error_of(running) == APPS_ERRORS[source]


def test_without_the_name_of_an_app_the_init_fails(tmp_path: Path) -> None:
    with function(tmp_path, {}, "lambda_streaming.entrypoint.handler") as running:
        kind, message = init_error_of(running)
    assert kind == "UnusableApp"
    assert "STREAMING_APP" in message


def test_a_missing_handler_is_reported_as_the_managed_runtime_does(
    tmp_path: Path, app: str
) -> None:
    with function(tmp_path, {"main.py": app}, "main.nothing") as running:
        kind, message = init_error_of(running)
    assert kind == "Runtime.HandlerNotFound"
    assert message == "Handler 'nothing' missing on module 'main'"


def test_a_setting_that_cannot_be_used_fails_the_init_by_its_name(tmp_path: Path) -> None:
    with function(
        tmp_path, {"main.py": ASGI}, "main.handler", STREAMING_INVOKE_MODE="RESPONSE_STREAM"
    ) as running:
        assert init_error_of(running) == (
            "SettingsError",
            "STREAMING_INVOKE_MODE='RESPONSE_STREAM' is not valid: one of auto, stream, buffer",
        )


def test_a_misspelt_setting_is_told(tmp_path: Path) -> None:
    with function(
        tmp_path, {"main.py": STREAMING}, "main.handler", STREAMING_ROOTPATH="/prod"
    ) as running:
        answer_of(running)
        said = running.end()
    assert said.count("WARNING") == 1
    assert "STREAMING_ROOTPATH is set and has no effect: did you mean STREAMING_ROOT_PATH?" in said


# Other ways to be run


def test_a_snapshot_is_taken_after_the_start(tmp_path: Path, app: str) -> None:
    module = app.replace(
        'tracing="off"', 'tracing="off", on_restore=lambda: print("restored", flush=True)'
    )
    environ = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    with function(tmp_path, {"main.py": module}, "main.handler", **environ) as running:
        said = assert_taken_over(running).splitlines()
        paths = [exchange.path.removeprefix(API) for exchange in running.api.exchanges[:2]]
    assert paths == ["/restore/next", "/invocation/next"]
    order = [word for word in said if word in ("started", "restored")]
    assert order == {SERVE: ["started"], ASGI: ["started", "restored"]}.get(app, ["restored"])


def test_a_function_around_the_handler_is_run_by_the_managed_runtime(
    tmp_path: Path, app: str
) -> None:
    module = app + "def run(event, context):\n    return {'buffered': handler is not None}\n"
    with function(tmp_path, {"main.py": module}, "main.run") as running:
        answer = answer_of(running)
        said = running.end()
    assert answer.body == b'{"buffered": true}'
    assert said.count("WARNING") == 1
    assert "main.run is a function around a streaming handler" in said


WRAPPED = {
    "a function": "def run(event, context):\n    return handler(event, context)\n",
    "an object": "from datadog import Wrapper\nrun = Wrapper(handler)\n",
}
WRAPPER = """
class Wrapper:
    def __init__(self, handler):
        self.handler = handler

    def __call__(self, event, context):
        return self.handler(event, context)
"""


@pytest.mark.parametrize("source", [ASGI, STREAMING], ids=["asgi", "streaming"])
@pytest.mark.parametrize("wrapper", WRAPPED.values(), ids=WRAPPED)
def test_a_handler_that_something_calls_answers_buffered(
    tmp_path: Path, source: str, wrapper: str
) -> None:
    modules = {"main.py": source + wrapper, "datadog.py": WRAPPER}
    with function(tmp_path, modules, "main.run") as running:
        api = running.api
        api.add(*[Event(url_event("/"))] * 2)
        api.wait_until(lambda: len(api.polls()) == 3, 20)
        said = running.end()
    for answer in api.answers():
        document = json.loads(answer.body)
        assert (document["statusCode"], b64decode(document["body"])) == (200, b"streamed")
    assert said.count("WARNING") == 1
    assert "Lambda's own runtime runs it and buffers its answers" in said
    assert said.count("started") == source.count("started")


def test_a_service_that_is_called_says_why_it_does_not_answer(tmp_path: Path) -> None:
    module = SERVE + "def run(event, context):\n    return handler(event, context)\n"
    with function(tmp_path, {"main.py": module}, "main.run") as running:
        answer = answer_of(running)
    assert answer.path.endswith("/error")
    assert b"a streaming handler was called by main" in answer.body


def test_outside_lambda_nothing_is_started_or_changed(app: str) -> None:
    program = (
        "import types, sys\n"
        + app
        + "assert type(sys.modules[__name__]) is types.ModuleType\n"
        + "sys.modules[__name__].handler\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(SOURCES), "_HANDLER": "__main__.handler"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_importing_the_service_starts_nothing() -> None:
    """In Lambda, too, and without any setting."""
    with FakeRuntimeApi() as api:
        ran = subprocess.run(
            [sys.executable, "-c", "import lambdas.sse_streaming.entrypoint"],
            env={
                "PYTHONPATH": str(SOURCES),
                "AWS_LAMBDA_RUNTIME_API": api.endpoint,
                "_HANDLER": "lambdas.sse_streaming.entrypoint.handler",
            },
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
        assert not api.exchanges
