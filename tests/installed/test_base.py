"""The base needs the standard library and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.fakes.functions import base_apps, plain_stream
from tests.fakes.runtime_api import Event, FakeRuntimeApi
from tests.fakes.traced_app import url_event

ISOLATED = ("-I", "-W", "error")
# Rooms whose packages come with extras of their own.
WITH_AN_EXTRA = ("tracing", "auth")


def printed(python: Path, program: str) -> str:
    done = subprocess.run(
        [python, *ISOLATED, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_environment_is_empty(python: Path) -> None:
    found = printed(
        python,
        "import json\nfrom importlib.metadata import distributions\n"
        "print(json.dumps([each.name for each in distributions()]))",
    )
    assert json.loads(found) == ["lambda-streaming"]


def test_everything_public_is_there(python: Path) -> None:
    program = "import lambda_streaming as face\nfor name in face.__all__: getattr(face, name)"
    assert printed(python, program) == ""


def test_every_module_outside_the_extras_imports(python: Path) -> None:
    imported = printed(
        python,
        "import importlib, pathlib, lambda_streaming\n"
        "base = pathlib.Path(lambda_streaming.__file__).parent\n"
        "for path in sorted(base.rglob('*.py')):\n"
        "    parts = path.relative_to(base.parent).with_suffix('').parts\n"
        f"    if parts[1] in {WITH_AN_EXTRA!r}: continue\n"
        "    name = '.'.join(parts).removesuffix('.__init__')\n"
        "    importlib.import_module(name)\n"
        "    print(name)",
    ).split()
    assert {"lambda_streaming.runtime.loop", "lambda_streaming.sse"} <= set(imported)


@pytest.mark.parametrize(
    ("program", "payload"),
    [
        ([plain_stream.__file__], b"data: 0\n\ndata: 1\n\ndata: 2\n\n"),
        ([base_apps.__file__, "plain"], b": open\ndata: 0\n\ndata: 1\n\ndata: 2\n\n"),
        ([base_apps.__file__, "bridged"], b"012"),
    ],
    ids=["handler", "streaming", "asgi"],
)
def test_a_handler_streams(python: Path, program: list[str], payload: bytes) -> None:
    with FakeRuntimeApi() as api:
        api.add(Event(url_event("/")))
        function = subprocess.Popen(
            [python, *ISOLATED, *program],
            env={
                "AWS_LAMBDA_RUNTIME_API": api.endpoint,
                "_HANDLER": f"__main__.{program[-1]}",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert function.stdout is not None
            # Said after the answer: the stream ended well, and loaded none of the extras.
            assert function.stdout.readline() == "completed []\n", function.communicate(timeout=10)
        finally:
            function.terminate()
            function.communicate(timeout=10)
        (answer,) = api.answers()
    assert answer.complete
    assert answer.prelude["statusCode"] == 200
    assert answer.payload == payload
