from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_streaming.runtime.framing import (
    chunk,
    last_chunk_with_trailers,
    percent_encoded,
    prelude_chunks,
    request_head,
)


@pytest.mark.parametrize(
    ("data", "framed"), [(b"a", b"1\r\na\r\n"), (b"x" * 255, b"ff\r\n" + b"x" * 255 + b"\r\n")]
)
def test_a_chunk_is_its_size_in_hexadecimal_and_its_data(data: bytes, framed: bytes) -> None:
    assert chunk(data) == framed


def test_trailers_stand_after_the_last_chunk() -> None:
    assert last_chunk_with_trailers("Function.E", b"e30=") == (
        b"0\r\nLambda-Runtime-Function-Error-Type: Function.E\r\n"
        b"Lambda-Runtime-Function-Error-Body: e30=\r\n\r\n"
    )


def test_the_delimiter_is_a_chunk_of_its_own() -> None:
    assert prelude_chunks(200, {}, ()) == (
        b'2c\r\n{"statusCode":200,"headers":{},"cookies":[]}\r\n8\r\n\0\0\0\0\0\0\0\0\r\n'
    )


@given(st.dictionaries(st.text("abcXYZ-", min_size=1), st.text(st.characters(max_codepoint=255))))
def test_a_prelude_is_json_without_nul_or_there_is_none(headers: dict[str, str]) -> None:
    try:
        sent = prelude_chunks(200, headers, ())
    except ValueError:
        assert any(c < " " or c == "\x7f" for value in headers.values() for c in value)
        return
    document = sent.split(b"\r\n")[1]
    assert b"\0" not in document
    assert document.isascii()
    assert json.loads(document)["headers"] == {
        name: value.strip(" \t") for name, value in headers.items()
    }


@pytest.mark.parametrize(
    ("values", "sent"),
    [([" a\t"], "a"), (["a", "b"], "a, b"), (["", "a", " "], "a"), (["", ""], ""), ([""], "")],
)
def test_blanks_around_values_and_empty_ones_of_a_list_are_not_sent(
    values: list[str], sent: str
) -> None:
    """Front ends refuse a value that ends with a blank."""
    prelude = prelude_chunks(200, [("x-a", value) for value in values], ())

    assert json.loads(prelude.split(b"\r\n")[1])["headers"] == {"x-a": sent}


@pytest.mark.parametrize("status", [100, 199, 600, -1])
def test_a_status_that_is_not_final_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match=str(status)):
        prelude_chunks(status, {}, ())


@pytest.mark.parametrize("status", [True, "200", 200.0, None])
def test_a_status_that_is_no_int_is_refused(status: Any) -> None:
    with pytest.raises(TypeError, match=type(status).__name__):
        prelude_chunks(status, {}, ())


@pytest.mark.parametrize("value", ["\r", "\n", "\0", "\x1f", "\x7f", "\u0100", "\U0001f600"])
def test_a_value_that_cannot_be_sent_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(ValueError, match="header X-Token") as raised:
        prelude_chunks(200, {"X-Token": f"secret{value}"}, ())
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("value", [1, None, b"x", ["a"]])
def test_a_value_that_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="header X-Count"):
        prelude_chunks(200, {"X-Count": value}, ())


@pytest.mark.parametrize("name", ["", "a b", "a:", "\u00e9", "a\r\n"])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="token"):
        prelude_chunks(200, {name: "x"}, ())


@pytest.mark.parametrize(
    ("segment", "encoded"),
    [
        ("8476a536-e9f4-11e8-9739-2dfe598c3fcd", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("a/../b?c#d%", "a%2F..%2Fb%3Fc%23d%25"),
        ("\u00e9\r\n", "%C3%A9%0D%0A"),
        ("\udcff", "%FF"),
    ],
)
def test_a_path_segment_stays_one(segment: str, encoded: str) -> None:
    assert percent_encoded(segment) == encoded


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "a\x1bb", "a\x7fb"])
def test_a_request_field_has_no_control_character(value: str) -> None:
    """Some would end its line, and a server refuses a request with any."""
    with pytest.raises(ValueError, match="header X"):
        request_head("GET", "/", [("X", value)])


def test_a_request_field_may_have_any_other_byte() -> None:
    assert b"X: a\tb \xc3\xa9\xff\r\n" in request_head("GET", "/", [("X", "a\tb \u00e9\udcff")])
