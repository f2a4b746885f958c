"""The managed runtime looks a handler up, and our loop over the Runtime API starts in its place.

Python's managed runtime buffers every answer (awslambdaric 4.2.2 has no streaming code path). It
imports the handler's module, then fetches the handler from it, before it asks for the first event
(awslambdaric/bootstrap.py, `_get_handler`). So the module gets a class of its own, with a property
under the handler's name: everything in the module has run when that is read, errors of the import
are init errors, and what fails in starting is one, too.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, ModuleType
from typing import Any, NoReturn, TypeVar

logger = logging.getLogger(__name__)

_MANAGED_RUNTIME = "awslambdaric"
_IMPORT_SYSTEM = "<frozen importlib._bootstrap>"


class StartupError(Exception):
    """Starting failed, and the error itself would be taken for something else."""


class LambdaHandler:
    """What a handler module calls `handler`. Nothing is started by making it."""

    def __init__(self, serve: Callable[[], NoReturn]) -> None:
        self._serve = serve

    def take_over(self) -> NoReturn:
        """Serve until the process ends. Raises what keeps it from starting."""
        try:
            self._serve()
        except AttributeError as error:
            # The managed runtime would say that the handler is missing.
            raise StartupError(f"AttributeError: {error}") from error

    def answer(self, event: Any, context: object) -> Any:
        """What a call in plain Python gives."""
        raise RuntimeError(
            f"a streaming handler was called by {_caller(3)}: it answers only where the function's"
            " handler setting names it, because Lambda's runtime buffers what a handler returns to"
            " it"
        )

    def __call__(self, event: Any, context: object = None) -> Any:
        if _caller(2).partition(".")[0] == _MANAGED_RUNTIME:
            logger.warning(
                "the handler's module was not known when the handler was made (it is imported from "
                "another module): streaming starts with the first invocation, not before it"
            )
            self.take_over()
        return self.answer(event, context)


AnyHandler = TypeVar("AnyHandler", bound=LambdaHandler)


def _caller(depth: int) -> str:
    return str(sys._getframe(depth).f_globals.get("__name__") or "unknown code")


def arm(
    handler: AnyHandler, environ: Mapping[str, str], arguments: Sequence[str], caller: str
) -> AnyHandler:
    """Take over when the managed runtime looks the handler up; elsewhere do nothing.

    `arguments` are the process's (sys.argv), `caller` is the module that makes the handler.
    """
    if "AWS_LAMBDA_RUNTIME_API" in environ:
        module_name, name = _handler_setting(environ, arguments, caller)
        module = sys.modules.get(module_name)
        if module is not None and not isinstance(module, _HandlerModule):
            module.__class__ = _class_with(name, type(module))
    return handler


class _HandlerModule(ModuleType):
    """Marks a module that takes over."""


def _class_with(name: str, original: type[ModuleType]) -> type[ModuleType]:
    def look_up(module: ModuleType) -> Any:
        try:
            value = vars(module)[name]
        except KeyError:
            text = f"module {module.__name__!r} has no attribute {name!r}"
            raise AttributeError(text, name=name, obj=module) from None
        if _is_the_managed_runtimes(module, sys._getframe(1)):
            module.__class__ = original
            _serve(value, f"{module.__name__}.{name}")
        return value

    def replace(module: ModuleType, value: Any) -> None:
        vars(module)[name] = value

    attributes = {name: property(look_up, replace), "__doc__": original.__doc__}
    return type("HandlerModule", (_HandlerModule, original), attributes)


def _serve(value: Any, name: str) -> None:
    if isinstance(value, LambdaHandler):
        value.take_over()
    logger.warning(
        "%s is a %s around a streaming handler, or none at all: Lambda's own runtime runs it and"
        " buffers its answers. Let the handler setting name the streaming handler itself",
        name,
        type(value).__name__,
    )


def _handler_setting(
    environ: Mapping[str, str], arguments: Sequence[str], caller: str
) -> tuple[str, str]:
    """Module and name of the handler, as awslambdaric splits them."""
    setting = environ.get("_HANDLER") or (arguments[1] if len(arguments) > 1 else "")
    module, dot, name = setting.rpartition(".")
    return (module.replace("/", "."), name) if dot else (caller, "handler")


def _is_the_managed_runtimes(module: ModuleType, frame: FrameType | None) -> bool:
    """It looks up on the main thread, in a module that is imported, and imports nothing then.
    Whoever else reads the attribute gets the object: `from module import handler`, a debugger's
    thread, `inspect.getmembers`."""
    if threading.current_thread() is not threading.main_thread():
        return False
    if getattr(module.__spec__, "_initializing", False):
        return False
    while frame is not None and frame.f_code.co_filename != _IMPORT_SYSTEM:
        frame = frame.f_back
    return frame is None
