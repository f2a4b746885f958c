"""What the service is there for. `PROCESSOR=module:function` names another function for it, perhaps
one that the archive of dependencies brings."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeAlias

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

router = APIRouter(prefix="/api", tags=["api"])

Processor: TypeAlias = Callable[[str], dict[str, Any]]


class Task(BaseModel):
    text: str = Field(max_length=1_000_000)


@router.post("/process")
def process(task: Task, request: Request) -> dict[str, Any]:
    """In a thread, because it computes."""
    processor: Processor = request.app.state.processor
    return processor(task.text)


def count_words(text: str) -> dict[str, Any]:
    words = text.split()
    return {"words": len(words), "longest": max(words, key=len, default="")}


def processor_named(name: str | None) -> Processor:
    """Raises ImportError with the variable's name: the init fails with it."""
    if name is None:
        return count_words
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ImportError(f"PROCESSOR={name}: {error}") from error
    if not callable(found):
        raise ImportError(f"PROCESSOR={name} is no function")
    processor: Processor = found
    return processor
