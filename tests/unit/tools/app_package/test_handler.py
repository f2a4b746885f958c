"""How an app is served, as its source tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.tools.app_package.test_files import folder_of
from tools.app_package.errors import AppError
from tools.app_package.files import app_files
from tools.app_package.handler import HandlerSetting, handler_setting

ENTRYPOINT = "lambda_streaming.entrypoint.handler"


def setting_of(place: Path, app: str, **modules: str) -> HandlerSetting:
    named = {f"{name.replace('__', '/')}.py": source for name, source in modules.items()}
    return handler_setting(app, app_files(folder_of(place, **named)))


@pytest.mark.parametrize(
    "source",
    [
        "from lambda_streaming import asgi\nhandler = asgi(object())",
        "import lambda_streaming as ls\nhandler: object = ls.streaming(print)",
        "import lambda_streaming\nif True:\n    handler = lambda_streaming.wsgi(print)",
        "from lambda_streaming import asgi as a\ntry:\n    b = handler = a('x:y')\nfinally: 1",
    ],
)
def test_a_handler_is_named_by_the_setting(source: str, tmp_path: Path) -> None:
    assert setting_of(tmp_path, "main:handler", main=source) == HandlerSetting("main.handler")


@pytest.mark.parametrize(
    "source",
    [
        "from lambdas.sse_streaming import FeedSchema, feed\nhandler = feed(FeedSchema())",
        "import lambdas.sse_streaming as sse\nhandler = sse.feed(sse.FeedSchema())",
        "import lambdas.sse_streaming\nhandler = lambdas.sse_streaming.feed(None)",
    ],
)
def test_a_feed_is_known(source: str, tmp_path: Path) -> None:
    expected = HandlerSetting("main.handler", is_feed=True)
    assert setting_of(tmp_path, "main:handler", main=source) == expected


def test_a_feed_that_the_apps_own_function_makes_is_no_asgi_app(tmp_path: Path) -> None:
    own = "from lambdas.sse_streaming import feed\ndef made(): ...\nhandler = made()"
    assert setting_of(tmp_path, "main:handler", main=own).handler == "main.handler"


def test_a_handler_is_found_where_the_module_has_it_from(tmp_path: Path) -> None:
    setting = setting_of(
        tmp_path,
        "api.aws:handler",
        api__aws="from .served import main as handler",
        api__served="from lambda_streaming import streaming\nmain = streaming(print)",
    )
    assert setting == HandlerSetting("api.aws.handler")


@pytest.mark.parametrize(
    ("app", "source"),
    [
        ("main:app", "from fastapi import FastAPI\napp = FastAPI()"),
        ("main:app", "import starlette.applications as s\napp = s.Starlette()"),
        ("main:app", "def create(): ...\napp = create()"),
        ("main:app", "async def app(scope, receive, send): ..."),
        ("main:create()", "def create(): ..."),
        (
            "main:app",
            "from lambda_streaming import asgi\nfrom fastapi import FastAPI\n"
            "app = FastAPI()\nhandler = asgi(app)",
        ),
    ],
)
def test_an_asgi_app_is_served_by_the_entrypoint(app: str, source: str, tmp_path: Path) -> None:
    assert setting_of(tmp_path, app, main=source) == HandlerSetting(
        ENTRYPOINT, {"STREAMING_APP": app}
    )


def test_the_entrypoint_can_be_named_itself(tmp_path: Path) -> None:
    app = "lambda_streaming.entrypoint:handler"
    assert setting_of(tmp_path, app, main="") == HandlerSetting(ENTRYPOINT)


@pytest.mark.parametrize(
    "source",
    [
        "from elsewhere import *",
        "def __getattr__(name): ...",
        "from elsewhere import handler",
        "from lambda_streaming import asgi\ndef made(): ...\nhandler = made()",
        "handler = {",  # or for a newer Python than this
    ],
)
def test_what_only_an_import_could_tell_is_taken_as_given(source: str, tmp_path: Path) -> None:
    assert setting_of(tmp_path, "main:handler", main=source) == HandlerSetting(
        "main.handler", is_guessed=True
    )


def test_a_function_of_event_and_context_is_lambdas_own(tmp_path: Path) -> None:
    setting = setting_of(tmp_path, "main:run", main="def run(event, context): ...")
    assert setting == HandlerSetting("main.run", is_buffered=True)


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("main", "give module:attribute"),
        ("main:1", "give module:attribute"),
        ("mian:app", "there is no module mian in .* Did you mean main?"),
        ("aws:app", "there is no module aws in .* Did you mean api.aws?"),
        ("unlike:app", "Give the folder that holds it"),
        ("main:ap", "main.py binds no ap at its top level. Did you mean main:app?"),
        ("api.aws:app", "api/aws.py binds no app at its top level"),
        ("main:app", "is a WSGI app. Write in main: handler = wsgi"),
        ("main:wsgi", "is a WSGI app"),
        ("main:mangum", "Mangum's, which buffers"),
        ("main:answer", r"handler = streaming\(answer\)"),
    ],
)
def test_what_cannot_be_served_is_told_with_what_to_write(
    app: str, said: str, tmp_path: Path
) -> None:
    main = (
        "from flask import Flask\nfrom mangum import Mangum\n"
        "app = Flask('x')\nmangum = Mangum(app)\n"
        "def wsgi(environ, start_response): ...\nasync def answer(request): ..."
    )
    with pytest.raises(AppError, match=said):
        setting_of(tmp_path, app, main=main, api__aws="def f():\n    app = 1")


def test_nothing_of_the_app_is_imported(tmp_path: Path) -> None:
    setting_of(tmp_path, "main:app", main="raise SystemExit\nfrom x import App\napp = App()")
