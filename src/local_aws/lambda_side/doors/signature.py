"""Whom a request's signature names; the signature itself is not checked here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

_CREDENTIAL = re.compile(r"Credential=([\w+=,.@-]{1,128}?)/\d{8}/[^/]+/[^/]+/aws4_request")


def signing_user(headers: Mapping[str, str], query: str) -> str | None:
    """The access key of a SigV4 signature, taken as the user's name."""
    authorization = headers.get("authorization", "")
    if authorization.startswith("AWS4-HMAC-SHA256 "):
        match = _CREDENTIAL.search(authorization)
    elif "X-Amz-Credential=" in query:
        match = _CREDENTIAL.search(unquote(query.replace("X-Amz-Credential", "Credential", 1)))
    else:
        match = None
    return match.group(1) if match else None
