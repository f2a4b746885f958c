"""Exceptions and answers that fail whoever wants to know something of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Refused(BaseException):
    """No Exception: what is careless lets it through."""


class _Textless(Exception):
    def __str__(self) -> str:
        raise Refused

    __repr__ = __str__


class _Untraceable(Exception):
    def __getattribute__(self, name: str) -> Any:
        if name == "__traceback__":
            raise Refused
        return super().__getattribute__(name)


class _Nameless(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("__name__", "__qualname__", "__module__"):
            raise Refused
        return super().__getattribute__(name)


class _OddText(str):
    def __getitem__(self, key: object) -> str:
        raise Refused


class _OddlyTexted(Exception):
    def __str__(self) -> str:
        return _OddText("odd")


class _Pretender:
    def __getattribute__(self, name: str) -> Any:
        raise Refused


def _chained() -> Exception:
    error = ValueError("first")
    for number in range(5_000):
        following = ValueError(str(number))
        following.__cause__ = error
        error = following
    return error


def _grouped() -> Exception:
    error: Exception = ValueError("innermost")
    for _ in range(5_000):
        error = ExceptionGroup("group", [error])
    return error


def pretender() -> object:
    """Not even `isinstance` has an answer for it."""
    return _Pretender()


EXCEPTIONS: dict[str, Callable[[], BaseException]] = {
    "without a text": _Textless,
    "of a type without a name": lambda: _Nameless("E", (Exception,), {})(),
    "with an odd text": _OddlyTexted,
    "without a traceback": _Untraceable,
    "with lone surrogates": lambda: ValueError("\ud800"),
    "of a long type": lambda: type("E" * 100_000, (Exception,), {})(),
    "of many causes": _chained,
    "of many groups": _grouped,
}
