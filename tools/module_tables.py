"""Makes the tables of inputs and outputs in the module's README from its .tf files.

python -m tools.module_tables            rewrites them
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

MODULE = Path(__file__).resolve().parent.parent / "modules" / "lambda"

_BLOCK = re.compile(r'^(?P<kind>variable|output) "(?P<name>\w+)" \{\n(?P<body>.*?)^\}', re.M | re.S)
_ARGUMENT = r"^  {} += (?P<value>.*?)(?=^  \w+ +=|^  validation|^$|\Z)"
_OBJECT = re.compile(r"object\(\{\n(?P<fields>.*)^  \}\)", re.M | re.S)
_FIELDS = re.compile(r"^  (?P<name>\w+)_defaults = \{\n(?P<fields>.*?)^  \}", re.M | re.S)
_DEFAULT = re.compile(r"^    (?P<name>\w+) += (?P<default>.*?)(?: +# (?P<note>.*))?$", re.M)
_FIELD = re.compile(r"^    (?P<name>\w+) += (?P<type>.+)$", re.M)
_OPTIONAL = re.compile(r"optional\((?P<type>\w+(?:\(\w+\))?)(?:, (?P<default>.+))?\)")
_REGION = re.compile(r"(<!-- (inputs|outputs) -->\n).*?(<!-- end -->)", re.S)


@dataclass(frozen=True, slots=True)
class Block:
    """A variable or output as its file describes it; `default` is None for a required variable.

    `fields` are an object's, as the table shows them.
    """

    kind: str
    name: str
    description: str
    type: str
    default: str | None
    fields: tuple[str, ...] = ()


def blocks(text: str) -> Iterator[Block]:
    """The variables and outputs of a .tf file in `terraform fmt`'s layout."""
    for found in _BLOCK.finditer(text):
        body = found["body"]
        yield Block(
            kind=found["kind"],
            name=found["name"],
            description=(_argument(body, "description") or "").strip('"'),
            type=re.sub(r"\(.*", "", _argument(body, "type") or "", flags=re.S),
            default=_argument(body, "default"),
            fields=tuple(_fields(body)),
        )


def with_tables(readme: str, module: Path = MODULE) -> str:
    """The README with its two tables made anew."""
    variables = inputs(module)
    outputs = list(blocks((module / "outputs.tf").read_text(encoding="utf-8")))
    tables = {
        "inputs": "| name | type | default | what it is |\n|---|---|---|---|\n"
        + "".join(
            f"| `{one.name}` | {one.type} | {_shown(one.default)} | {_explained(one)} |\n"
            for one in variables
        ),
        "outputs": "| name | what it is |\n|---|---|\n"
        + "".join(f"| `{one.name}` | {one.description} |\n" for one in outputs),
    }
    return _REGION.sub(lambda found: f"{found[1]}{tables[found[2]]}{found[3]}", readme)


def inputs(module: Path = MODULE) -> list[Block]:
    """The variables of all variables*.tf; those of type any have their fields in fields.tf."""
    table = (module / "fields.tf").read_text(encoding="utf-8")
    fields = {found["name"]: tuple(_defaults(found["fields"])) for found in _FIELDS.finditer(table)}
    found = [
        block
        for file in sorted(module.glob("variables*.tf"))
        for block in blocks(file.read_text(encoding="utf-8"))
    ]
    return [
        replace(one, type="object", fields=fields.get(one.name, ())) if one.type == "any" else one
        for one in found
    ]


def _defaults(text: str) -> Iterator[str]:
    for field in _DEFAULT.finditer(text):
        if field["note"] == "required":
            yield f"`{field['name']}` (required)"
        else:
            note = f", {field['note']}" if field["note"] else ""
            yield f"`{field['name']}` (`{field['default']}`{note})"


def _argument(body: str, name: str) -> str | None:
    found = re.search(_ARGUMENT.format(name), body, re.M | re.S)
    return found["value"].strip() if found else None


def _fields(body: str) -> Iterator[str]:
    """Each field of an object type with its default."""
    found = _OBJECT.search(body)
    for field in _FIELD.finditer(found["fields"]) if found else ():
        optional = _OPTIONAL.fullmatch(field["type"])
        if optional is None:
            yield f"`{field['name']}` ({field['type']}, required)"
        else:
            yield f"`{field['name']}` (`{optional['default'] or 'null'}`)"


def _explained(one: Block) -> str:
    if not one.fields:
        return one.description
    return f"{one.description} Fields: {', '.join(one.fields)}."


def _shown(default: str | None) -> str:
    return "required" if default is None else f"`{default}`"


if __name__ == "__main__":
    path = MODULE / "README.md"
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{path.name}: tables rewritten\n")
