"""An answer's chunks as text or bytes, whatever its Content-Type says."""

from __future__ import annotations

import json
from encodings.aliases import aliases

import h11
import pytest

from local_aws.console.sending.answer_lines import AnswerLines, Line


def chunks(content_type: str, *pieces: bytes) -> list[Line]:
    answer = AnswerLines(h11.Response(status_code=200, headers=[("content-type", content_type)]))
    return [line for piece in pieces for line in answer.chunk(piece, at_ms=0, at=0)]


@pytest.mark.parametrize(
    ("charset", "pieces", "text"),
    [
        ("utf-8", (b"\xc3", b"\xa9"), "é"),
        ("latin-1", (b"\xe9",), "é"),
        ('"utf-16-le"', (b"\xe9", b"\0"), "é"),
        ("no-such", (b"\xc3\xa9",), "é"),
        ("base64", (b"\xc3\xa9",), "é"),
        ("idna", (b"\xc3\xa9",), "é"),
    ],
)
def test_text_is_decoded_over_chunks_as_it_is_named(
    charset: str, pieces: tuple[bytes, ...], text: str
) -> None:
    shown = chunks(f"text/plain; charset={charset}", *pieces)
    assert "".join(line["text"] for line in shown) == text


def test_what_is_not_in_the_encoding_that_it_names_is_shown_as_bytes() -> None:
    first, second = chunks("text/plain; charset=utf-16", b"a b ", b"c")
    assert (first["hex"], second["hex"]) == ("61 20 62 20", "63")


@pytest.mark.parametrize("charset", sorted({*aliases.values(), "undefined", "idna", "punycode"}))
def test_no_encoding_breaks_the_answer_off(charset: str) -> None:
    shown = chunks(f"text/plain; charset={charset}", b"a\xff\0-b", b"", b"\xd8\0\xe9", bytes(9))
    assert len(json.loads(json.dumps(shown))) == 4
