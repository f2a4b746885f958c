from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_streaming.runtime.errors import MalformedReplyError
from lambda_streaming.runtime.http_parser import Reply, ReplyParser

SIZED = b"HTTP/1.1 200 OK\r\nX-Id: a b\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b"3\r\nhel\r\n2 ; ext=1\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n"
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + SIZED
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


def parse(*pieces: bytes) -> Reply | None:
    parser = ReplyParser()
    reply = None
    for piece in pieces:
        assert reply is None, "complete before its last byte"
        reply = parser.feed(piece)
    return reply


@pytest.mark.parametrize(
    ("data", "status", "body"),
    [(SIZED, 200, b"hello"), (CHUNKED, 202, b"hello"), (INTERIM, 200, b"hello"), (EMPTY, 204, b"")],
)
def test_is_complete_at_its_last_byte(data: bytes, status: int, body: bytes) -> None:
    assert parse(data[:-1]) is None
    reply = parse(data)
    assert reply is not None
    assert (reply.status, reply.body, reply.keep_alive) == (status, body, True)


@given(st.sampled_from([SIZED, CHUNKED, INTERIM, EMPTY]), st.data())
def test_reads_a_reply_in_any_split(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.sets(st.integers(1, len(data) - 1))))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert parse(*pieces) == parse(data)


def test_names_are_lower_case_and_undecodable_bytes_survive() -> None:
    reply = parse(b"HTTP/1.1 200\r\nX-Name:\t\xff\xc3\xa9 \r\ncontent-length: 0\r\n\r\n")
    assert reply is not None
    assert reply.headers["x-name"].encode("utf-8", "surrogateescape") == b"\xff\xc3\xa9"


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", True),
        (b"HTTP/1.1 200 OK\r\n", True),
    ],
)
def test_knows_whether_the_connection_is_kept(head: bytes, kept: bool) -> None:
    reply = parse(head + b"Content-Length: 0\r\n\r\n")
    assert reply is not None
    assert reply.keep_alive is kept


def test_bytes_after_the_reply_spoil_the_connection() -> None:
    reply = parse(SIZED + b"HTTP/1.1")
    assert reply is not None
    assert (reply.body, reply.keep_alive) == (b"hello", False)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    parser = ReplyParser()
    assert parser.feed(b"HTTP/1.1 200 OK\r\n\r\nhel") is None
    assert parser.feed(b"lo") is None
    reply = parser.end()
    assert reply is not None
    assert (reply.body, reply.keep_alive) == (b"hello", False)


@pytest.mark.parametrize("data", [b"", SIZED[:10], SIZED[:-1], CHUNKED[:-1]])
def test_an_end_inside_a_reply_is_no_reply(data: bytes) -> None:
    parser = ReplyParser()
    assert parser.feed(data) is None
    assert parser.end() is None
    assert parser.begun is bool(data)


@pytest.mark.parametrize(
    "data",
    [
        b"X",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 20\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 20_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000,
    ],
)
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedReplyError):
        ReplyParser().feed(data)


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_waited_on(data: bytes) -> None:
    try:
        ReplyParser().feed(data)
    except MalformedReplyError:
        pass
