"""Frames of the type application/vnd.amazon.eventstream, in which a streamed answer is sent.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html describes the format:
both lengths, their checksum, the headers, the payload, a checksum of all.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from zlib import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
_OVERHEAD_BYTES = 16  # prelude, its checksum, the message's checksum


def payload_chunk(data: bytes) -> bytes:
    return _event("PayloadChunk", "application/octet-stream", data)


def invoke_complete(fields: Mapping[str, str]) -> bytes:
    """`fields`: ErrorCode and ErrorDetails where the function failed, LogResult where asked for."""
    return _event("InvokeComplete", "application/json", json.dumps(dict(fields)).encode())


def _event(event_type: str, content_type: str, payload: bytes) -> bytes:
    headers = b"".join(
        _header(name, value)
        for name, value in (
            (":event-type", event_type),
            (":content-type", content_type),
            (":message-type", "event"),
        )
    )
    total = _OVERHEAD_BYTES + len(headers) + len(payload)
    lengths = struct.pack("!II", total, len(headers))
    message = lengths + struct.pack("!I", crc32(lengths)) + headers + payload
    return message + struct.pack("!I", crc32(message))


def _header(name: str, value: str) -> bytes:
    encoded = value.encode()
    return bytes([len(name)]) + name.encode() + struct.pack("!BH", _STRING, len(encoded)) + encoded
