"""Apps by name, and what is refused as none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from lambda_streaming.bridge.loading import UnusableApp, load_app
from lambda_streaming.bridge.types import Receive, Scope, Send
from tests.fakes.asgi import hello

SOURCE = """
class site:
    async def app(scope, receive, send): ...
def make():
    return site.app
number = 5
async def app(scope, receive, send): ...
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "served_main.py"
    path.write_text(SOURCE)
    yield path
    for name in ("served_main", "served_broken"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", ["served_main:app", "served_main:site.app", "served_main:make()"])
def test_an_app_may_be_named(name: str, module: Path) -> None:
    assert getattr(load_app(name), "__name__", "") == "app"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("served_main", 'write "module:attribute", such as "served_main:app"'),
        ("served_main:", 'write "module:attribute"'),
        (":app", 'write "module:attribute"'),
        ("served_main:app;x", 'write "module:attribute"'),
        ("no_such_module:app", "there is no module no_such_module"),
        ("served_main.deeper:app", "there is no module served_main.deeper"),
        ("served_main:nothing", "served_main has no attribute nothing"),
        ("served_main:number", "int cannot be called"),
        ("served_main:number()", "number cannot be called"),
        ("served_main:make", r"write served_main:make\(\)"),
    ],
)
def test_a_name_that_leads_to_no_app_says_why(name: str, complaint: str, module: Path) -> None:
    with pytest.raises(UnusableApp, match=complaint):
        load_app(name)


def test_what_the_module_itself_lacks_is_its_own_error(module: Path) -> None:
    module.with_name("served_broken.py").write_text("import no_such_dependency")

    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        load_app("served_broken:app")


class WithMethod:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class WithAwait:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def __await__(self) -> Iterator[None]:
        yield


async def with_any(*arguments: Any) -> None: ...


@pytest.mark.parametrize("app", [hello, WithMethod(), WithAwait, with_any, FastAPI()])
def test_an_asgi_3_app_is_taken_as_it_is(app: Any) -> None:
    assert load_app(app) is app


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    return []


def wsgi_with_more(environ: dict[str, Any], start_response: Any, more: int = 0) -> Iterable[bytes]:
    return []


class WsgiObject:
    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return []


class Asgi2:
    def __init__(self, scope: Scope) -> None: ...

    async def __call__(self, receive: Receive, send: Send) -> None: ...


@pytest.mark.parametrize(
    ("app", "instead"),
    [
        (wsgi, r"write handler = wsgi\(...\)"),
        (wsgi_with_more, r"write handler = wsgi\(...\)"),
        (WsgiObject(), r"write handler = wsgi\(...\)"),
        (FastAPI, "FastAPI is a class: give an object of it"),
        (Asgi2, "guarantee_single_callable"),
        (lambda: None, "takes no arguments"),
        (lambda a, b, c, d: None, "does not take"),
        (5, "the given int is no ASGI app"),
    ],
)
def test_what_is_no_asgi_3_app_is_refused_with_what_to_write_instead(
    app: Any, instead: str
) -> None:
    with pytest.raises(UnusableApp, match=instead):
        load_app(app)
