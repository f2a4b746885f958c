"""Which runtime a zip is for, told by the zip itself, so that Terraform can refuse another one.

Terraform reads no zip. It reads a file as text, in which a member that is stored, not deflated,
stands as it is: `textdecodebase64(filebase64(path), "ISO-8859-1")`, and a regular expression.
"""

from __future__ import annotations

import json
from pathlib import Path

NAME = "lambda_streaming_manifest.json"


def text(python: str, architecture: str) -> str:
    """Always in this form, which the regular expression expects."""
    document = {"lambda_streaming_manifest": 1, "architecture": architecture, "python": python}
    return json.dumps(document, separators=(",", ":"))


def place(tree: Path, python: str, architecture: str) -> None:
    tree.mkdir(parents=True, exist_ok=True)
    (tree / NAME).write_text(text(python, architecture), encoding="ascii")
