"""Whom a request's signature names; the signature itself is not checked here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from local_aws.account import ACCOUNT_ID

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


def iam_caller(user: str) -> dict[str, str | None]:
    """The caller as payload 2.0 describes one that IAM has let in."""
    return {
        "accessKey": user,
        "accountId": ACCOUNT_ID,
        "callerId": f"AIDALOCAL{user.upper()}",
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{ACCOUNT_ID}:user/{user}",
        "userId": f"AIDALOCAL{user.upper()}",
    }
