from __future__ import annotations

import pytest

from lambda_streaming.runtime.connection import Endpoint, parse_endpoint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9001", Endpoint("127.0.0.1", 9001, "127.0.0.1:9001")),
        ("[::1]:9001", Endpoint("::1", 9001, "[::1]:9001")),
        ("[::1]", Endpoint("::1", 80, "[::1]")),
        ("http://[::]:9000/.rt/fn", Endpoint("::", 9000, "[::]:9000", "/.rt/fn")),
        ("HTTP://host/", Endpoint("host", 80, "host")),
        ("localhost:8080/a/", Endpoint("localhost", 8080, "localhost:8080", "/a")),
        (" 169.254.100.1:9001\n", Endpoint("169.254.100.1", 9001, "169.254.100.1:9001")),
    ],
)
def test_reads_what_lambda_and_its_emulators_set(text: str, expected: Endpoint) -> None:
    assert parse_endpoint(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://host:1",
        "://host:1",
        ":9001",
        "host:",
        "host:0",
        "host:65536",
        "host:9\u0661",
        "host:x",
        "::1",
        "::1:9001",
        "[::1:9001",
        "[::1]9001",
        "user@host:1",
        "host:1/a?b",
        "host:1/a#b",
        "host:1/a b",
        "host:1\r\nX: y",
    ],
)
def test_refuses_anything_else_naming_the_variable(text: str) -> None:
    with pytest.raises(ValueError, match=r"^AWS_LAMBDA_RUNTIME_API=") as raised:
        parse_endpoint(text)
    assert repr(text) in str(raised.value)
