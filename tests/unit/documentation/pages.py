"""The project's pages, and what can be asked of one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGES = tuple(
    sorted(
        str(path.relative_to(ROOT))
        for pattern in ("*.md", "docs/**/*.md", "modules/*/README.md")
        for path in ROOT.glob(pattern)
    )
)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def prose_of(page: str) -> str:
    """Without blocks of code."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def code_of(page: str) -> list[str]:
    """Everything set as code: the lines of the blocks, and what stands between backticks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [*lines, *re.findall(r"`([^`]+)`", prose_of(page))]


def section_of(page: str, heading: str) -> str:
    """What stands under a heading, down to the next one of its level or above."""
    level = heading.partition(" ")[0]
    found = re.search(
        rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{len(level)}}} |\Z)",
        text_of(page),
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None, f"{page} has no heading {heading!r}"
    return found[1]


def rows_of(text: str, first_column: str) -> list[tuple[str, ...]]:
    """The cells of each row of every table whose first column has this title."""
    rows: list[tuple[str, ...]] = []
    tables = re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)
    for table in tables:
        header, _, *lines = (
            tuple(cell.strip() for cell in line.strip("|").split("|"))
            for line in table.splitlines()
        )
        if header[0] == first_column:
            rows += lines
    assert rows, f"no table begins with the column {first_column!r}"
    return rows


def quoted(cell: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)
