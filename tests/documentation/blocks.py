"""The blocks of code on a page, and how each of them is tried.

A block that nothing tries has a comment before it that says why: `<!-- not run: reason -->`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from local_aws.settings import REPOSITORY_ROOT

_BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>.+?) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """`section` is the nearest heading above it."""

    section: str
    language: str
    code: str
    not_run: str | None = None


def blocks_of(page: str, language: str = "") -> list[Block]:
    """The page's blocks in their order, of one language where it is given."""
    text = (REPOSITORY_ROOT / page).read_text(encoding="utf-8")
    outside = _BLOCK.sub(lambda found: "\n" * len(found[0]), text)
    return [
        Block(
            _HEADING.findall(outside[: found.start()])[-1],
            found["language"],
            found["code"],
            found["reason"],
        )
        for found in _BLOCK.finditer(text)
        if language in ("", found["language"])
    ]
