"""What is deployed."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

router = APIRouter(prefix="/info", tags=["info"])


class Version(BaseModel):
    version: str
    dependencies: str | None
    """The hash of the archive that was loaded."""


@router.get("/version")
async def version(request: Request) -> Version:
    settings = request.app.state.settings
    archive = settings.archive
    return Version(
        version=request.app.version, dependencies=None if archive is None else archive.sha256
    )
