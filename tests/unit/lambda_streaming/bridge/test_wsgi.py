"""WSGI apps (PEP 3333), called in plain Python."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from lambda_streaming import wsgi
from lambda_streaming.bridge.types import WsgiApp
from tests.fakes.events import bare_event

TEXT = [("content-type", "text/plain")]
FAILED = ("500 Internal Server Error", TEXT)


def answered(app: WsgiApp) -> tuple[int, str]:
    answer = wsgi(app)(bare_event())
    return answer["statusCode"], answer["body"]


def changes_its_mind(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [*TEXT, ("x-first", "yes")])
    try:
        raise LookupError
    except LookupError:
        start_response(*FAILED, sys.exc_info())
    return [b"failed"]


def changes_its_mind_at_the_first_block(
    _: dict[str, Any], start_response: Callable[..., Any]
) -> Iterator[bytes]:
    start_response("200 OK", TEXT)
    try:
        raise LookupError
    except LookupError:
        start_response(*FAILED, sys.exc_info())
    yield b"failed"


@pytest.mark.parametrize("app", [changes_its_mind, changes_its_mind_at_the_first_block])
def test_an_error_before_the_body_takes_the_place_of_the_answer(app: WsgiApp) -> None:
    assert answered(app) == (500, "failed")


def test_an_error_inside_the_body_ends_it() -> None:
    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"one"
        try:
            raise LookupError
        except LookupError:
            start_response(*FAILED, sys.exc_info())
        yield b"two"

    assert answered(app) == (500, "Internal Server Error")


def test_a_second_answer_is_refused() -> None:
    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        start_response("404 Not Found", TEXT)
        return [b"which?"]

    assert answered(app) == (500, "Internal Server Error")


def test_what_is_written_comes_before_what_is_returned() -> None:
    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        write = start_response("201 Created", TEXT)
        write(b"one ")
        return [b"two"]

    assert answered(app) == (201, "one two")


def test_a_body_without_blocks_has_its_head() -> None:
    def app(_: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("204 No Content", [])
        yield from ()

    assert answered(app) == (204, "")
