"""Buffered answers: the JSON objects that the doors take, each in the format of its events."""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from lambda_streaming.doors import reading
from lambda_streaming.responses import BUFFERED_LIMIT_BYTES, Response
from lambda_streaming.runtime.framing import answer_fields, check_status, encoded, joined

_TEXT_TYPES = frozenset(
    {
        "application/ecmascript",
        "application/javascript",
        "application/json",
        "application/x-www-form-urlencoded",
        "application/xml",
    }
)
_MAX_JSON_BYTES_OF_A_BYTE = 6  # of a control character: \u0000
_USUAL_HEAD_BYTES = 64 * 1024


class AnswerTooLarge(Exception):
    """The app's answer does not fit into what its front door takes; the client gets a 500."""


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """What an app may choose for its buffered answers.

    `exclude_headers` are left out, whatever their case. Bodies whose type begins with one of
    `text_mime_types` are sent as text, all others in base64; None: every type known to be text.
    """

    exclude_headers: Collection[str] = ()
    text_mime_types: Collection[str] | None = None

    def __post_init__(self) -> None:
        for name in ("exclude_headers", "text_mime_types"):
            given = getattr(self, name)
            if isinstance(given, str):
                raise TypeError(f"{name} must be a list of str, not the str {given!r}")
            if given is not None:
                object.__setattr__(self, name, tuple(one.lower() for one in given))


NO_OPTIONS = AnswerOptions()


class Parts(NamedTuple):
    """What the formats have in common."""

    status: int
    fields: dict[str, list[str]]
    """Each header's values under its name; no cookies."""
    cookies: list[str]
    body: str
    is_base64: bool

    def joined(self) -> dict[str, str]:
        """One value a header (RFC 9110, section 5.3)."""
        return {name: joined(values) for name, values in self.fields.items()}


def payload_2_0(
    response: Response, event: Mapping[str, Any], options: AnswerOptions
) -> dict[str, Any]:
    parts = take_apart(response, event, options)
    document: dict[str, Any] = {
        "statusCode": parts.status,
        "headers": parts.joined(),
        "body": parts.body,
        "isBase64Encoded": parts.is_base64,
    }
    if parts.cookies:
        document["cookies"] = parts.cookies
    return document


def payload_1_0(
    response: Response, event: Mapping[str, Any], options: AnswerOptions
) -> dict[str, Any]:
    """API Gateway takes both maps. The lists hold what repeats, and cookies; everything else is
    where tests look for it."""
    parts = take_apart(response, event, options)
    lists = {name: values for name, values in parts.fields.items() if len(values) > 1}
    if parts.cookies:
        lists["set-cookie"] = parts.cookies
    return {
        "statusCode": parts.status,
        "headers": {n: values[0] for n, values in parts.fields.items() if len(values) == 1},
        "multiValueHeaders": lists,
        "body": parts.body,
        "isBase64Encoded": parts.is_base64,
    }


def take_apart(response: Response, event: Mapping[str, Any], options: AnswerOptions) -> Parts:
    """Raises ValueError or TypeError for a status or header that cannot stand on the wire."""
    check_status(response.status)
    fields, cookies = answer_fields(
        response.headers, response.cookies, drop=frozenset(options.exclude_headers)
    )
    spelling = {name.lower(): name for name in fields}
    body = encoded(response.body)
    _set_length(fields, spelling.get("content-length"), body, response.status, event)
    text = None
    if "content-encoding" not in spelling:
        if isinstance(response.body, str):
            text = response.body
        elif not body or _is_text(fields.get(spelling.get("content-type", ""), [""])[0], options):
            text = _decoded(body)
    if text is None:
        return Parts(
            response.status, fields, cookies, b2a_base64(body, newline=False).decode(), True
        )
    return Parts(response.status, fields, cookies, text, False)


def _set_length(
    fields: dict[str, list[str]],
    spelling: str | None,
    body: bytes,
    status: int,
    event: Mapping[str, Any],
) -> None:
    """An app's own Content-Length is right only where it tells of a body that is not sent
    (RFC 9110, section 8.6)."""
    if status == 204:
        fields.pop(spelling or "", None)
    elif body or (spelling and status != 304 and reading.http_method(event) != "HEAD"):
        fields[spelling or "content-length"] = [str(len(body))]


def _is_text(content_type: str, options: AnswerOptions) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    if options.text_mime_types is not None:
        return media_type.startswith(tuple(options.text_mime_types))
    return media_type in _TEXT_TYPES or (
        media_type.startswith("text/") or media_type.endswith(("+json", "+xml"))
    )


def _decoded(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def as_json(document: Mapping[str, Any]) -> bytes:
    """The shortest form: other than ASCII needs more bytes as an escape than in UTF-8."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def within(document: dict[str, Any], max_bytes: int, limit: str) -> dict[str, Any]:
    """The document. Raises AnswerTooLarge where it is over the limit, which the text explains."""
    if len(document["body"]) * _MAX_JSON_BYTES_OF_A_BYTE + _USUAL_HEAD_BYTES <= max_bytes:
        return document  # whatever its characters
    if (size := len(as_json(document))) > max_bytes:
        raise AnswerTooLarge(f"the answer has {size} bytes as JSON, above the {max_bytes} {limit}")
    return document


def within_lambdas_limit(document: dict[str, Any]) -> dict[str, Any]:
    return within(
        document,
        BUFFERED_LIMIT_BYTES,
        "that fit into a buffered answer: stream it, with STREAMING_INVOKE_MODE=stream, at a"
        " Function URL (InvokeMode RESPONSE_STREAM) or a REST API (responseTransferMode STREAM)",
    )
