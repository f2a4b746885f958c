"""Server-Sent Events in any cut, with what a browser keeps to itself."""

from __future__ import annotations

import pytest

from local_aws.console.sending.event_parser import Block, Comment, EventParser

STREAM = (
    b"\xef\xbb\xbf: hello\n\n"
    b"id: 7\nevent: token\ndata: a\ndata:  b\n\n"
    b"retry: 100\r\n\r\n"
    b"data\rother: x\rdata: \xc3\xa9\r\r"
    b":\n"
)
WHOLE = [
    Comment("hello"),
    Block(event="token", id="7", data=["a", " b"]),
    Block(retry="100"),
    Block(data=["", "é"]),
    Comment(""),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_every_cut_gives_the_same_events(size: int) -> None:
    parser = EventParser()
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert [one for piece in pieces for one in parser.feed(piece)] == WHOLE
    assert not parser.has_unfinished_block


@pytest.mark.parametrize("rest", [b"data: a", b"data: a\n", b"id: 1\n"])
def test_a_block_without_its_blank_line_is_unfinished(rest: bytes) -> None:
    parser = EventParser()
    assert list(parser.feed(b"data: whole\n\n" + rest)) == [Block(data=["whole"])]
    assert parser.has_unfinished_block


def test_a_line_that_never_ends_is_cut() -> None:
    parser = EventParser()
    for piece in (b"data: ", *[b"x" * 100_000] * 5):
        assert list(parser.feed(piece)) == []
    cut, following = parser.feed(b"\n\ndata: next\n\n")
    assert isinstance(cut, Block)
    assert len(cut.data[0]) == 256 * 1024 - len("data: ")
    assert following == Block(data=["next"])
