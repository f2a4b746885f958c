from __future__ import annotations

from local_aws.servers.http_framing import RawMessage


def test_a_changed_body_gets_its_own_length_and_no_old_checksum() -> None:
    message = RawMessage(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nx-amz-crc32: 1\r\nX-Kept: yes\r\n\r\n", b"abc"
    )
    changed = message.with_body(b"longer")
    assert changed.header("content-length") == "6"
    assert changed.header("x-amz-crc32") is None
    assert changed.header("x-kept") == "yes"
    assert changed.head.endswith(b"\r\n\r\n")
