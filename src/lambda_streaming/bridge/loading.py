"""From the name of an app to the app, and whether it is one."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any, cast

from lambda_streaming.bridge.types import AsgiApp


class UnusableApp(Exception):
    """What was given is no app that can be served; the message says what to write instead."""


def load_app(app: AsgiApp | str) -> AsgiApp:
    """An ASGI 3 app, given itself or as `module:attribute`. The attribute may be dotted, and a
    factory that is called: `module:factory()`.

    Raises UnusableApp. What the module itself raises on its import goes through.
    """
    return check_app(imported(app) if isinstance(app, str) else app, app)


def check_app(loaded: object, given: object) -> AsgiApp:
    """The app that was loaded from what was given, itself or its name. Raises UnusableApp."""
    name = f'"{given}"' if isinstance(given, str) else _name(given)
    if not callable(loaded):
        raise UnusableApp(f"{name} is no ASGI app: {type(loaded).__name__} cannot be called")
    _check_signature(loaded, name)
    return cast(AsgiApp, loaded)


def imported(name: str) -> object:
    """What `module:attribute` names."""
    module_name, colon, attribute = name.strip().partition(":")
    is_factory = attribute.endswith("()")
    attribute = attribute.removesuffix("()")
    if not module_name or not all(part.isidentifier() for part in attribute.split(".")):
        hint = "" if colon else f', such as "{module_name or "main"}:app"'
        raise UnusableApp(f'"{name}" is no name of an app: write "module:attribute"{hint}')
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # of a module that this one imports
        raise UnusableApp(f'"{name}": there is no module {error.name}') from error
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise UnusableApp(f'"{name}": {module_name} has no attribute {attribute}') from error
    if is_factory:
        if not callable(found):
            raise UnusableApp(f'"{name}": {attribute} cannot be called; write it without "()"')
        return found()
    return found


def _check_signature(app: Callable[..., object], name: str) -> None:
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):  # of a callable that is not written in Python
        return
    if next(iter(signature.parameters), "") == "environ" or (
        not _takes(signature, 3) and _takes(signature, 2)
    ):
        raise UnusableApp(f"{name} is a WSGI app: write handler = wsgi(...) instead of asgi(...)")
    is_asgi_2 = _takes(signature, 1) and not _takes(signature, 3)
    if inspect.isclass(app) and not hasattr(app, "__await__") and not is_asgi_2:
        raise UnusableApp(f"{name} is a class: give an object of it")
    if _takes(signature, 3):
        return
    if is_asgi_2:
        raise UnusableApp(
            f"{name} is an ASGI 2 app: write "
            "asgi(asgiref.compatibility.guarantee_single_callable(...))"
        )
    if _takes(signature, 0):
        call = name.replace('"', "") + "()"
        raise UnusableApp(f"{name} takes no arguments. If it makes the app, write {call}")
    raise UnusableApp(f"{name} is no ASGI app: it does not take (scope, receive, send)")


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def _name(app: object) -> str:
    return getattr(app, "__qualname__", None) or f"the given {type(app).__name__}"
