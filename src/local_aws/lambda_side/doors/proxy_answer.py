"""The JSON object with which a function answers a door that buffers.

What the doors have in common; each says itself which of the fields it reads. Header values are
taken as strings alone: a number is a mistake that one door forgives and another does not.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.lambda_side.doors.http_request import Pairs


class MalformedAnswerError(ValueError):
    """The function's answer is none that the door can read: the function's fault."""


@dataclass(frozen=True, slots=True)
class ProxyAnswer:
    status: int
    headers: Pairs
    body: bytes


def answer_object(payload: bytes) -> Mapping[str, Any]:
    """Raises MalformedAnswerError."""
    try:
        document = json.loads(payload)
    except ValueError:
        raise MalformedAnswerError(f"the answer is not JSON{_hint(payload)}") from None
    if not isinstance(document, dict):
        raise MalformedAnswerError("the answer is not a JSON object")
    return document


def status_of(document: Mapping[str, Any]) -> int:
    """Raises MalformedAnswerError."""
    status = document.get("statusCode")
    if isinstance(status, str) and status.isdecimal():
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise MalformedAnswerError(f"statusCode {status!r} is no HTTP status from 200 to 599")
    return status


def headers_of(document: Mapping[str, Any]) -> Pairs:
    """Raises MalformedAnswerError."""
    headers = document.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(v, str) for v in headers.values()):
        raise MalformedAnswerError("headers is not an object of strings")
    return list(headers.items())


def multi_value_headers_of(document: Mapping[str, Any]) -> Pairs:
    """Raises MalformedAnswerError."""
    headers = document.get("multiValueHeaders") or {}
    if not isinstance(headers, dict) or not all(
        isinstance(values, list) and all(isinstance(value, str) for value in values)
        for values in headers.values()
    ):
        raise MalformedAnswerError("multiValueHeaders is not an object of lists of strings")
    return [(name, value) for name, values in headers.items() for value in values]


def body_of(document: Mapping[str, Any]) -> bytes:
    """Raises MalformedAnswerError."""
    body = document.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedAnswerError("body is not a string")
    if not document.get("isBase64Encoded"):
        return body.encode()
    try:
        return binascii.a2b_base64(body, strict_mode=True)
    except ValueError:
        raise MalformedAnswerError("isBase64Encoded is true, and the body is not base64") from None


def _hint(payload: bytes) -> str:
    if b"\0" * 8 in payload:
        return ": the function streamed, and this door cannot"
    return ""
