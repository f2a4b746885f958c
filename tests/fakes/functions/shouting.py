"""A processor that the service's archive of dependencies brings."""

from __future__ import annotations

from typing import Any


def process(text: str) -> dict[str, Any]:
    if text == "fail":
        raise LookupError("this text cannot be shouted")
    return {"shouted": text.upper()}
