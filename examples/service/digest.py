"""Hashes: one, and a chain of them that is streamed as it is computed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

router = APIRouter(prefix="/digest", tags=["digest"])


class Text(BaseModel):
    text: str = Field(max_length=100_000)


@router.post("/sha256")
async def sha256(given: Text) -> dict[str, str]:
    return {"sha256": hashlib.sha256(given.text.encode()).hexdigest()}


@router.get("/chain")
async def chain(
    start: Annotated[str, Query(max_length=1000)],
    rounds: Annotated[int, Query(ge=1, le=10_000)] = 10,
) -> StreamingResponse:
    return StreamingResponse(links(start, rounds), media_type="text/plain")


async def links(start: str, rounds: int) -> AsyncIterator[str]:
    """Each is the hash of the one before."""
    digest = start.encode()
    for _ in range(rounds):
        digest = hashlib.sha256(digest).digest()
        yield f"{digest.hex()}\n"
