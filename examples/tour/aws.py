"""Where the app runs."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

router = APIRouter(prefix="/api")


class Surroundings(BaseModel):
    environment: Literal["lambda", "local"]
    function: str | None = None
    version: str | None = None
    region: str | None = None
    memory_mb: int | None = None
    request_id: str | None = None


@router.get("/aws-info")
async def aws_info(request: Request) -> Surroundings:
    # Under the name that Mangum gives it, as the event is "aws.event"; other servers have neither.
    context = request.scope.get("aws.context")
    if context is None:
        return Surroundings(environment="local")
    return Surroundings(
        environment="lambda",
        function=context.function_name,
        version=context.function_version,
        region=context.invoked_function_arn.split(":")[3],
        memory_mb=int(context.memory_limit_in_mb),
        request_id=context.aws_request_id,
    )
