"""Bytes for the Runtime API: request heads, the prelude of an HTTP answer, chunks and trailers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence, Set

from lambda_streaming.responses import Headers, header_pairs

LAST_CHUNK = b"0\r\n\r\n"
INTEGRATION_CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"

# Eight NULs end the prelude. They travel as a chunk of their own: AWS keeps no chunk boundaries,
# but `cargo lambda watch` takes the second chunk of the body for the delimiter.
_DELIMITER_CHUNK = b"8\r\n\0\0\0\0\0\0\0\0\r\n"

ERROR_TYPE_HEADER = "Lambda-Runtime-Function-Error-Type"
ERROR_BODY_TRAILER = "Lambda-Runtime-Function-Error-Body"

# Fields of one connection (RFC 9110 section 7.6.1), and those that the front end sets itself.
_DROPPED_HEADERS = frozenset(
    {
        "connection",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_TOKEN = frozenset("!#$%&'*+-.^_`|~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_NOT_SENDABLE = re.compile("[^\t -~\x80-\xff]")


def percent_encoded(segment: str) -> str:
    """One path segment (RFC 3986 section 2.3)."""
    octets = segment.encode("utf-8", "surrogateescape")
    return "".join(chr(o) if o in _UNRESERVED else f"%{o:02X}" for o in octets)


def is_field_value(value: str) -> bool:
    """Whether a header's value has no control character but tabs (RFC 9110 section 5.5)."""
    return _CONTROL.search(value) is None


def request_head(method: str, path: str, fields: Sequence[tuple[str, str]]) -> bytes:
    """The head of an HTTP/1.1 request, its blank line included.

    Values go out with the bytes they were received with. Raises ValueError for one that would
    break out of its line.
    """
    lines = [f"{method} {path} HTTP/1.1"]
    for name, value in fields:
        if not is_field_value(value):
            raise ValueError(f"header {name} has a control character in its value")
        lines.append(f"{name}: {value}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; nothing for no bytes, since such a chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


EMPTY_BODY = chunk(b"\n")
"""Sent where the body is empty, whatever the status: a Function URL waits for a first byte after
the prelude until the function's timeout
(https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/95)."""


# https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
_MAX_PRELUDE_BYTES = 16 * 1024


def encoded(block: bytes | str) -> bytes:
    return block.encode() if isinstance(block, str) else block


def prelude_chunks(status: int, headers: Headers | None, cookies: Sequence[str]) -> bytes:
    """Status and headers of an HTTP answer as the first two chunks of its body. A name has one
    value there: those of a repeated name are joined (RFC 9110 section 5.3).

    Raises ValueError or TypeError naming the header whose name or value cannot stand on the wire.
    """
    check_status(status)
    # AWS renames a Content-Length of ours to X-Amzn-Remapped-Content-Length.
    fields, all_cookies = answer_fields(headers, cookies, drop=frozenset({"content-length"}))
    kept = {name: joined(values) for name, values in fields.items()}
    document = {"statusCode": status, "headers": kept, "cookies": all_cookies}
    return chunk(json.dumps(document, separators=(",", ":")).encode()) + _DELIMITER_CHUNK


def check_head(status: int, headers: Headers | None, cookies: Sequence[str]) -> None:
    """Raises ValueError or TypeError, naming the header, for a head that cannot be sent. `headers`
    are read more than once."""
    if len(prelude_chunks(status, headers, cookies)) <= _MAX_PRELUDE_BYTES:
        return
    pairs = header_pairs(headers)
    fields = [*pairs, *(("Set-Cookie", cookie) for cookie in cookies)]
    name, value = max(fields, key=lambda field: len(field[1]))
    raise ValueError(
        f"the headers are larger than {_MAX_PRELUDE_BYTES} bytes; the longest is {name} with "
        f"{len(value)}"
    )


def check_status(status: object) -> None:
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"status must be an int, not {type(status).__name__}")
    if not 200 <= status <= 599:
        raise ValueError(f"status must be a final HTTP status, 200 to 599, not {status}")


def answer_fields(
    headers: Headers | None, cookies: Sequence[str], *, drop: Set[str]
) -> tuple[dict[str, list[str]], list[str]]:
    """The values of each header that an answer may have, under its first spelling, and the cookies
    apart. Blanks around a value are no part of it (RFC 9110 section 5.5). `drop` has the names, in
    lower case, of further ones to leave out.

    Raises ValueError or TypeError naming the header whose name or value cannot stand on the wire.
    """
    fields: dict[str, list[str]] = {}
    by_name: dict[str, list[str]] = {}
    all_cookies = list(cookies)
    for name, value in header_pairs(headers):
        _check_name(name)
        _check_value(name, value)
        lowered, value = name.lower(), value.strip(" \t")
        if lowered == "set-cookie":
            all_cookies.append(value)
        elif lowered in by_name:
            by_name[lowered].append(value)
        elif lowered not in _DROPPED_HEADERS and lowered not in drop:
            fields[name] = by_name[lowered] = [value]
    for cookie in all_cookies:
        _check_value("Set-Cookie", cookie)
    return fields, [] if "set-cookie" in drop else all_cookies


def joined(values: Sequence[str]) -> str:
    """The values of a repeated header as one. A list has no empty elements where it is made
    (RFC 9110 section 5.6.1.1)."""
    return values[0] if len(values) == 1 else ", ".join(filter(None, values))


def last_chunk_with_trailers(error_type: str, error_body_base64: bytes) -> bytes:
    """The end of a chunked body that failed while it was produced."""
    return b"0\r\n%b: %b\r\n%b: %b\r\n\r\n" % (
        ERROR_TYPE_HEADER.encode(),
        error_type.encode(),
        ERROR_BODY_TRAILER.encode(),
        error_body_base64,
    )


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"header name {name!r} must be a str")
    if not name or not _TOKEN.issuperset(name):
        raise ValueError(f"header name {name!r} is not a token (RFC 9110 section 5.1)")


def _check_value(name: str, value: object) -> None:
    # The value itself stays out of the message: it may be a secret.
    if not isinstance(value, str):
        raise TypeError(f"header {name} must be a str, not {type(value).__name__}")
    if (found := _NOT_SENDABLE.search(value)) is not None:
        raise ValueError(
            f"header {name} has {found.group()!r} in its value: "
            "control characters and what is not in Latin-1 cannot be sent"
        )
