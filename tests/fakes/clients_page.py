"""docs/clients.md as the tests read it: its table, and the code of each section."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from local_aws.settings import REPOSITORY_ROOT

CLIENTS_PAGE = REPOSITORY_ROOT / "docs/clients.md"
DEFAULTS_PAGE = REPOSITORY_ROOT / "tests/e2e/clients/defaults.md"

_SECTION = re.compile(r"^## (.+?)\n.*?^```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| \[(.+?)\]\(#(.+?)\).*? \| (.+?) \|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    client: str
    anchor: str
    version: str


def code_by_client(page: Path) -> dict[str, str]:
    """Each section's block, by its heading."""
    return dict(_SECTION.findall(page.read_text(encoding="utf-8")))


def wrapper_of_the_guide() -> str:
    """Its only block of JavaScript."""
    guide = (REPOSITORY_ROOT / "docs/using-a-stream.md").read_text(encoding="utf-8")
    (wrapper,) = re.findall(r"^```js\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    return str(wrapper)


def table() -> list[Row]:
    return [Row(*row) for row in _ROW.findall(CLIENTS_PAGE.read_text(encoding="utf-8"))]
