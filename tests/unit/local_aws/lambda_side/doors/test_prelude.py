from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_aws.lambda_side.doors.prelude import (
    MAX_PRELUDE_BYTES,
    Prelude,
    PreludeError,
    PreludeParser,
)

HEAD = {"statusCode": 404, "headers": {"a": "ü"}, "cookies": ["c=1"]}


@given(body=st.binary(max_size=40), data=st.data())
def test_any_cut_gives_the_same_prelude_and_body(body: bytes, data: st.DataObject) -> None:
    whole = json.dumps(HEAD).encode() + b"\0" * 8 + body
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=6)))
    parser = PreludeParser()
    edges = [0, *cuts, len(whole)]
    passed = b"".join(parser.feed(whole[a:b]) for a, b in pairwise(edges))
    assert parser.prelude == Prelude(404, (("a", "ü"),), ("c=1",))
    assert passed == body


def test_everything_but_json_is_optional() -> None:
    parser = PreludeParser()
    parser.feed(b"{}" + b"\0" * 8)
    assert parser.prelude == Prelude(200)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"[]",
        b"{",
        b'{"statusCode":true}',
        b'{"statusCode":"200"}',
        b'{"statusCode":99}',
        b'{"headers":[]}',
        b'{"headers":{"a":null}}',
        b'{"cookies":"a=1"}',
        b'{"multiValueHeaders":{"a":"b"}}',
    ],
)
def test_what_aws_could_not_read_is_refused(head: bytes) -> None:
    with pytest.raises(PreludeError):
        PreludeParser().feed(head + b"\0" * 8)


def test_a_prelude_must_end_within_its_limit() -> None:
    parser = PreludeParser()
    parser.feed(b"x" * MAX_PRELUDE_BYTES)
    with pytest.raises(PreludeError, match="no separator"):
        parser.feed(b"x")
