"""What is known of an address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

router = APIRouter(prefix="/intel", tags=["intel"])


class Address(BaseModel):
    address: str
    version: Literal[4, 6]
    is_global: bool
    provider: Literal["configured", "none"]
    """Whether there is a key for a provider who would know more; this example asks nobody."""


@router.get("/address/{address}")
async def address(address: IPv4Address | IPv6Address, request: Request) -> Address:
    has_key = request.app.state.settings.ip_data_api_key is not None
    return Address(
        address=str(address),
        version=address.version,
        is_global=address.is_global,
        provider="configured" if has_key else "none",
    )
