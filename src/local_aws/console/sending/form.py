"""What somebody asks to be sent, checked: the door, the request line, headers and a body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from local_aws.settings import DoorName

Pairs = list[tuple[str, str]]


class BadFormError(ValueError):
    """What was asked for cannot be sent: the caller's fault, and the message says how."""


@dataclass(frozen=True, slots=True)
class FormDoor:
    """A choice of the form; `prefix` stands before the path."""

    label: str
    door: DoorName
    prefix: str = ""


# Not the Invoke API: it takes events, and it is for programs alone.
FORM_DOORS: Mapping[str, FormDoor] = MappingProxyType(
    {
        "function_url": FormDoor("Function URL", "function_url"),
        "rest_api_prod": FormDoor("REST API, /prod", "rest_api", "/prod"),
        "rest_api_buffered": FormDoor("REST API, /buffered", "rest_api", "/buffered"),
        "http_api": FormDoor("HTTP API", "http_api"),
        "alb": FormDoor("ALB", "alb"),
    }
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_FIELDS = {"door": str, "method": str, "path": str, "headers": str, "body": str}
_MAX_TARGET_CHARACTERS = 8_000
_MAX_SHOWN = 60
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(r"[!-~]+", re.ASCII)
# They frame the message or belong to the connection.
_OF_THE_CONNECTION = frozenset(
    {
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRequest:
    door: DoorName
    method: str
    target: str
    headers: Pairs
    body: bytes


def read_form(value: Any) -> OutgoingRequest:
    """`headers` are lines of `name: value`; they and the body may be left out.

    Raises BadFormError.
    """
    if not isinstance(value, dict):
        raise BadFormError(f"the body must be an object with {', '.join(_FIELDS)}")
    fields = {"method": "GET", "headers": "", "body": "", **value}
    for name, found in fields.items():
        if name not in _FIELDS:
            raise BadFormError(f"there is no field {_shown(name)}: {', '.join(_FIELDS)}")
        if not isinstance(found, str):
            raise BadFormError(f"{name} must be text")
    for name in ("door", "path"):
        if name not in fields:
            raise BadFormError(f"{name} is missing")
    door = FORM_DOORS.get(fields["door"])
    if door is None:
        raise BadFormError(f"no door {_shown(fields['door'])}: one of {', '.join(FORM_DOORS)}")
    if fields["method"] not in METHODS:
        raise BadFormError(f"no method {_shown(fields['method'])}: one of {', '.join(METHODS)}")
    try:
        body = fields["body"].encode()
    except UnicodeEncodeError:
        raise BadFormError("the body holds half of a surrogate pair") from None
    return OutgoingRequest(
        door=door.door,
        method=fields["method"],
        target=door.prefix + _path(fields["path"]),
        headers=_headers(fields["headers"]),
        body=body,
    )


def _path(path: str) -> str:
    if not path.startswith("/"):
        raise BadFormError(f"a path begins with /, not {_shown(path)}")
    if len(path) > _MAX_TARGET_CHARACTERS:
        raise BadFormError(f"a path has at most {_MAX_TARGET_CHARACTERS} characters")
    if "#" in path:
        raise BadFormError("a fragment (#…) is never sent; the character itself is %23")
    if not _TARGET.fullmatch(path):
        encoded = quote(path, safe="/?&=%:@!$'()*+,;~[]|{}", errors="replace")
        raise BadFormError(f"a path is percent-encoded: {encoded[:_MAX_TARGET_CHARACTERS]}")
    return path


def _headers(text: str) -> Pairs:
    headers: Pairs = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        # A value may be a secret: no message repeats one.
        if not colon:
            raise BadFormError(f"header line {number} has no colon: write name: value")
        name, value = name.strip(), value.strip()
        if not _TOKEN.fullmatch(name):
            raise BadFormError(f"header line {number}: {_shown(name)} is no header's name")
        if name.lower() in _OF_THE_CONNECTION:
            raise BadFormError(f"{name} cannot be given: the console sets it itself")
        if not _VALUE.fullmatch(value):
            raise BadFormError(f"the value of {name} has characters that no header may have")
        headers.append((name, value))
    return headers


def _shown(value: str) -> str:
    return repr(value[:_MAX_SHOWN])
