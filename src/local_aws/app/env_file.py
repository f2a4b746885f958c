"""An app's own variables, from a file of NAME=value lines, as dotenv files are written."""

from __future__ import annotations

import re

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.ASCII)
_COMMENT = re.compile(r"\s#.*$")


def parse_env_file(text: str) -> dict[str, str]:
    """The last line of a name counts. Raises ValueError, naming the line and never its content.

    A value in quotes stays as it is between them; without quotes it ends before ` #`. Nothing is
    expanded.
    """
    variables: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        if match is None:
            raise ValueError(f"line {number} is not NAME=value")
        name, value = match.groups()
        variables[name] = _value(value, number)
    return variables


def _value(text: str, number: int) -> str:
    quote = text[:1]
    if quote not in ("'", '"'):
        return _COMMENT.sub("", f" {text}").strip()
    value, closing, rest = text[1:].partition(quote)
    if not closing or (rest.strip() and not rest.strip().startswith("#")):
        raise ValueError(f"line {number}: the value's quote does not close at its end")
    return value
