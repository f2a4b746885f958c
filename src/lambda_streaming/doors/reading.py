"""What the doors' events have in common: loose types to be taken as they come."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from lambda_streaming.requests import BadRequest, Pairs

MAX_QUERY_PARAMETERS = 100
_ASSUMED_ROLE = re.compile(r"arn:(aws[\w-]*):sts::(\d{12}):assumed-role/([^/]+)/.+")
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_.-]{0,20}")
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_MAX_SHOWN_CHARACTERS = 8


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one: events hold null where nothing came."""
    return value if isinstance(value, dict) else {}


def raw_path(value: object) -> str:
    return value if isinstance(value, str) and value.startswith("/") else "/"


def headers(pairs: Iterable[tuple[object, object]]) -> Pairs:
    return Pairs((str(name).lower(), value) for name, value in pairs if isinstance(value, str))


def lists_as_pairs(value: object) -> list[tuple[str, str]]:
    """API Gateway's maps of lists, of headers or of query parameters."""
    return [
        (name, str(one))
        for name, values in mapping(value).items()
        if isinstance(values, list)
        for one in values
    ]


def parse_query(raw: str) -> Pairs:
    """A percent-encoded query. Raises BadRequest for too many parameters or broken UTF-8."""
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, max_num_fields=MAX_QUERY_PARAMETERS)
    except ValueError as error:
        raise BadRequest(
            "invalid_query", f"more than {MAX_QUERY_PARAMETERS} query parameters"
        ) from error
    return refuse_replacement(pairs)


def refuse_replacement(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Raises BadRequest where a decoder had to replace what was not UTF-8."""
    query = Pairs(pairs)
    for name, value in query.pairs:
        if "\ufffd" in name or "\ufffd" in value:
            raise BadRequest("invalid_query", f"{shown_name(name)}: not percent-encoded UTF-8")
    return query


def shown_name(name: str) -> str:
    """A parameter's name if it looks like one. It may be a token that was pasted into the wrong
    place: of that, the first characters say of which kind it is, and no more."""
    if _PARAMETER_NAME.fullmatch(name):
        return f"'{name}'"
    return f"'{_NO_NAME.split(name, maxsplit=1)[0][:_MAX_SHOWN_CHARACTERS]}…'"


def body(event: Mapping[str, Any]) -> bytes:
    """Raises BadRequest for base64 that is none."""
    content = event.get("body")
    if not isinstance(content, str):
        return b""
    if not event.get("isBase64Encoded"):
        return content.encode("utf-8", "replace")
    try:
        return binascii.a2b_base64(content, strict_mode=True)
    except ValueError as error:
        raise BadRequest("invalid_body", "the event's body is not base64") from error


def epoch_ms(value: object) -> int | None:
    return value if type(value) is int else None


def text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def caller(arn: object) -> str | None:
    """A user's ARN as it is; for an assumed role the role's ARN, since sessions come and go."""
    if not isinstance(arn, str) or not arn:
        return None
    if match := _ASSUMED_ROLE.fullmatch(arn):
        partition, account, role = match.groups()
        return f"arn:{partition}:iam::{account}:role/{role}"
    return arn
