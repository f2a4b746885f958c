"""What is kept of a request."""

from __future__ import annotations

import pytest

from local_aws.lambda_side.doors.request_log import RequestLog


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/b?key=secret", "/a/b"),
        ("/?to=http://user:secret@host/", "/"),
        ("http://user:secret@host/a?key=secret", "/a"),
        ("//host/a", "//host/a"),
        ("/" + "a" * 600, "/" + "a" * 499),
    ],
)
def test_of_a_target_the_path_is_kept(target: str, path: str) -> None:
    assert RequestLog().begin("alb", "GET", target, client_port=1).path == path
