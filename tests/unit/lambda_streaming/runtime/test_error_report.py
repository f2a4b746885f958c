from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest

from lambda_streaming.runtime.error_report import (
    error_report,
    error_trailer_body,
    error_type,
    log_failure,
)
from tests.fakes.hostile import EXCEPTIONS

ACCEPTED = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ValueError", "Function.ValueError"),
        ("timeout", "Function.Timeout"),
        ("_Private_Error2", "Function.PrivateError"),
        ("H2Error", "Function.HError"),
        ("\u00c9chec", "Function.Chec"),
        ("E", "Function.Unknown"),
        ("_1", "Function.Unknown"),
    ],
)
def test_the_type_is_one_the_runtime_api_takes(name: str, expected: str) -> None:
    error = type(name, (Exception,), {})()
    assert error_type(error) == expected
    assert ACCEPTED.fullmatch(expected)


def raised(error: BaseException, depth: int = 0) -> BaseException:
    def descend(left: int) -> None:
        if left:
            descend(left - 1)
        raise error

    try:
        descend(depth)
    except BaseException as caught:
        return caught
    raise AssertionError


def test_the_report_has_the_keys_of_the_runtime_api() -> None:
    report = json.loads(error_report(raised(KeyError("k"))))
    assert list(report) == ["errorMessage", "errorType", "stackTrace"]
    assert (report["errorMessage"], report["errorType"]) == ("'k'", "KeyError")
    assert all(isinstance(line, str) for line in report["stackTrace"])
    assert "raise error" in report["stackTrace"][-1]


def test_what_an_error_says_in_public_is_reported_in_place_of_its_text() -> None:
    class Discreet(Exception):
        public_message = "for everybody"

    assert json.loads(error_report(Discreet("for the log")))["errorMessage"] == "for everybody"
    assert trailer_report(Discreet("for the log"))["errorMessage"] == "for everybody"


def test_an_error_that_was_never_raised_has_no_stack() -> None:
    assert json.loads(error_report(ValueError("x")))["stackTrace"] == []


def trailer_report(error: BaseException) -> dict[str, Any]:
    encoded = error_trailer_body(error)
    assert len(encoded) < 3_900
    assert b"\n" not in encoded
    report: dict[str, Any] = json.loads(base64.b64decode(encoded, validate=True))
    return report


def test_a_trailer_keeps_the_innermost_frames() -> None:
    report = trailer_report(raised(ValueError("why"), depth=40))
    assert report["errorMessage"] == "why"
    assert "raise error" in report["stackTrace"][-1]


@pytest.mark.parametrize("character", ["x", "\u20ac", "\U0001f600", '"', "\0"])
def test_a_trailer_is_short_whatever_the_message(character: str) -> None:
    report = trailer_report(raised(ValueError(character * 100_000)))
    assert report["errorMessage"].startswith(character)
    assert report["errorType"] == "ValueError"


def test_a_trailer_is_short_whatever_the_type() -> None:
    assert trailer_report(type("E" * 100_000, (Exception,), {})())["errorType"] == "E" * 64


@pytest.mark.parametrize("make_error", EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_any_error_can_be_reported(make_error: Callable[[], BaseException]) -> None:
    """What fails in telling it must not take the loop with it."""
    error = make_error()
    assert json.loads(error_report(error)).keys() == trailer_report(error).keys()
    assert ACCEPTED.fullmatch(error_type(error))
    assert len(error_type(error)) <= 73


def test_an_error_without_a_text_is_named() -> None:
    error = EXCEPTIONS["without a text"]()
    assert "Textless" in json.loads(error_report(error))["errorMessage"]


class _Careless(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.mark.parametrize("make_error", EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_any_error_is_logged(make_error: Callable[[], BaseException]) -> None:
    """With its traceback where that can be formatted; the managed runtime's handler lets out what
    fails in it."""
    handler, log = _Careless(), logging.Logger("test")
    log.addHandler(handler)

    log_failure(log, "it failed", raised(make_error()))

    (line,) = handler.lines
    assert line.startswith("it failed")
    assert "raise error" in line or "whose traceback fails" in line
