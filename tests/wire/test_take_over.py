"""Our loop in place of the managed runtime's: awslambdaric, the real one, looks handlers up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.managed_runtime import SOURCES, ManagedFunction, managed_function
from tests.fakes.runtime_api import API, Event, Exchange, FakeRuntimeApi

APP = """
from lambda_streaming.responses import Response
from lambda_streaming.runtime.invoker import LifeCycle
from lambda_streaming.serving.process import Service, serve

class Life(LifeCycle):
    async def start(self):
        print("started", flush=True)

def answer(event, context):
    return Response(b"streamed")

def compose(environ):
    return Service(answer, Life())

handler = serve(compose)
"""


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
    api.add(Event())
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
    assert "started" in said
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
    tmp_path: Path, file: str, setting: str, is_in_the_environment: bool
) -> None:
    environ = {"_HANDLER": setting} if is_in_the_environment else {}
    with function(tmp_path, {file: APP}, setting, **environ) as running:
        assert_taken_over(running)


def test_a_handler_may_have_any_name(tmp_path: Path) -> None:
    module = APP.replace("handler = serve", "entry = serve")
    with function(tmp_path, {"main.py": module}, "main.entry") as running:
        assert_taken_over(running)


def test_everything_below_the_handler_runs_first(tmp_path: Path) -> None:
    module = APP + "def answer(event, context):\n    return Response(below)\n"
    with function(tmp_path, {"main.py": module + "below = b'streamed'"}, "main.handler") as running:
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
def test_whoever_else_reads_the_name_gets_the_object(tmp_path: Path, reader: str) -> None:
    module = APP + reader + "print('read', flush=True)\n"
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        said = assert_taken_over(running)
    assert said.index("read") < said.index("started")


def test_a_package_may_import_the_handler_from_its_module(tmp_path: Path) -> None:
    """The module is imported by then, on the main thread, and the package's own import goes on."""
    modules = {
        "package/__init__.py": "from package.main import handler\nprint('read', flush=True)\n",
        "package/main.py": APP,
    }
    with function(tmp_path, modules, "package.main.handler") as running:
        said = assert_taken_over(running)
    assert said.index("read") < said.index("started")


def test_a_handler_may_be_made_in_another_module(tmp_path: Path) -> None:
    modules = {"main.py": "from real import handler\n", "real.py": APP}
    with function(tmp_path, modules, "main.handler") as running:
        assert_taken_over(running)


def test_a_module_that_is_unknown_when_the_handler_is_made_takes_over_with_the_first_call(
    tmp_path: Path,
) -> None:
    modules = {
        "package/__init__.py": "import package.real\n",
        "package/real.py": APP,
        "package/main.py": "from package.real import handler\n",
    }
    with function(tmp_path, modules, "package.main.handler") as running:
        answer = answer_of(running)
        said = running.end()
    assert answer.payload == b"streamed"
    assert said.count("WARNING") == 1
    assert "streaming starts with the first invocation" in said


# Errors


def test_what_fails_below_the_handler_is_an_init_error(tmp_path: Path) -> None:
    module = APP + "import nowhere\n"
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        kind, message = init_error_of(running)
    assert kind == "Runtime.ImportModuleError"
    assert "nowhere" in message


def test_what_fails_in_composing_is_an_init_error(tmp_path: Path) -> None:
    module = APP.replace("return Service(", "raise ValueError('TABLE is not set')\n    Service(")
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        assert init_error_of(running) == ("ValueError", "TABLE is not set")


def test_what_a_start_raises_is_an_init_error(tmp_path: Path) -> None:
    module = APP.replace("print(", "raise OSError('no database') #")
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        assert init_error_of(running) == ("OSError", "no database")


def test_an_attribute_error_of_a_start_is_no_missing_handler(tmp_path: Path) -> None:
    module = APP.replace("print(", "None.connect #")
    with function(tmp_path, {"main.py": module}, "main.handler") as running:
        kind, message = init_error_of(running)
    assert kind == "StartupError"
    assert message == "AttributeError: 'NoneType' object has no attribute 'connect'"


def test_a_missing_handler_is_reported_as_the_managed_runtime_does(tmp_path: Path) -> None:
    with function(tmp_path, {"main.py": APP}, "main.nothing") as running:
        kind, message = init_error_of(running)
    assert kind == "Runtime.HandlerNotFound"
    assert message == "Handler 'nothing' missing on module 'main'"


# Other ways to be run


def test_a_snapshot_is_taken_after_the_start(tmp_path: Path) -> None:
    environ = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    with function(tmp_path, {"main.py": APP}, "main.handler", **environ) as running:
        assert_taken_over(running)
        paths = [exchange.path.removeprefix(API) for exchange in running.api.exchanges[:2]]
    assert paths == ["/restore/next", "/invocation/next"]


def test_a_function_around_the_handler_is_run_by_the_managed_runtime(tmp_path: Path) -> None:
    module = APP + "def run(event, context):\n    return {'buffered': handler is not None}\n"
    with function(tmp_path, {"main.py": module}, "main.run") as running:
        answer = answer_of(running)
        said = running.end()
    assert answer.body == b'{"buffered": true}'
    assert said.count("WARNING") == 1
    assert "main.run is a function around a streaming handler" in said


def test_a_streaming_handler_that_is_called_says_why_it_does_not_answer(tmp_path: Path) -> None:
    module = APP + "def run(event, context):\n    return handler(event, context)\n"
    with function(tmp_path, {"main.py": module}, "main.run") as running:
        answer = answer_of(running)
    assert answer.path.endswith("/error")
    assert b"a streaming handler was called by main" in answer.body


def test_outside_lambda_nothing_is_started_or_changed() -> None:
    program = (
        "import types, sys\n"
        + APP
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
