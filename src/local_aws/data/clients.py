"""boto3 clients of the stack itself."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from local_aws.account import ACCESS_KEY_ID, REGION

STACK_ITSELF = "local-stack"  # the app id in the user agent of the stack's own requests


def local_client(
    service: str, endpoint_url: str, *, tries: int = 4, read_timeout_seconds: float = 10.0
) -> Any:
    """A boto3 client that looks for no credentials: no engine checks any."""
    return boto3.session.Session(
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key="local",
        region_name=REGION,
    ).client(
        service,
        endpoint_url=endpoint_url,
        config=Config(
            connect_timeout=2,
            read_timeout=read_timeout_seconds,
            retries={"mode": "standard", "total_max_attempts": tries},
            proxies={},
            user_agent_appid=STACK_ITSELF,
        ),
    )
