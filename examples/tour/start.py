"""Where to begin, and whether anything answers."""

from __future__ import annotations

from fastapi import APIRouter, Request

router = APIRouter()


@router.get("/")
async def links(request: Request) -> dict[str, str]:
    root_path = request.scope["root_path"]  # "/prod" below that stage of a REST API, else ""
    return {
        "documentation": f"{root_path}/docs",
        "health": f"{root_path}/health",
        "tracing": f"{root_path}/trace-test",
        "fibonacci": f"{root_path}/fibonacci/15",
        "items": f"{root_path}/api/items/",
        "aws": f"{root_path}/api/aws-info",
    }


@router.get("/health")
@router.get("/api/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}
